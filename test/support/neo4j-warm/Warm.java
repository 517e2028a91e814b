import java.io.IOException;
import java.io.PrintStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Scanner;
import org.neo4j.cli.AdminTool;
import org.neo4j.cli.ExecutionContext;
import org.neo4j.io.fs.DefaultFileSystemAbstraction;
import org.neo4j.server.CommunityBootstrapper;

/**
 * Neo4j's own programs in one JVM that is warm: the same entry points, called as often as a test wants. A request is lines,
 * ended by an empty one: what, home, conf, arguments. The answer is what was said, a zero byte and the exit code.
 */
public class Warm {
    public static void main(String[] args) throws Exception {
        var server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(args[0]));
        // It ends with whoever wanted it.
        inBackground(() -> {
            while (System.in.read() >= 0) {}
            Runtime.getRuntime().halt(0);
        });
        System.out.println("warm");
        while (true) {
            var client = server.accept();
            inBackground(() -> serve(client));
        }
    }

    private static void serve(SocketChannel client) throws Exception {
        try (client; var out = new PrintStream(Channels.newOutputStream(client), true)) {
            var in = new Scanner(Channels.newInputStream(client));
            List<String> lines = new ArrayList<>();
            for (var line = in.nextLine(); !line.isEmpty(); line = in.nextLine()) lines.add(line);
            var home = Path.of(lines.get(1));
            var conf = Path.of(lines.get(2));
            var rest = lines.subList(3, lines.size()).toArray(String[]::new);
            int code = lines.get(0).equals("console") ? console(home, conf, in) : admin(home, conf, out, rest);
            out.print("\0" + code);
            out.flush();
        }
    }

    private static int admin(Path home, Path conf, PrintStream out, String[] args) throws IOException {
        try (var files = new DefaultFileSystemAbstraction()) {
            return AdminTool.execute(new ExecutionContext(home, conf, out, out, files), args);
        }
    }

    /** Serves until the other side has nothing more to say. */
    private static int console(Path home, Path conf, Scanner in) {
        var server = new CommunityBootstrapper();
        int code = server.start(home, conf.resolve("neo4j.conf"), Map.of(), false, false);
        if (code != 0) return code;
        while (in.hasNextLine()) in.nextLine();
        return server.stop();
    }

    private interface Work {
        void run() throws Exception;
    }

    private static void inBackground(Work work) {
        var thread = new Thread(() -> {
            try {
                work.run();
            } catch (Exception error) {
                error.printStackTrace();
            }
        });
        thread.setDaemon(true);
        thread.start();
    }
}
