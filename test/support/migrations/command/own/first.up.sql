CREATE TABLE documents (id integer PRIMARY KEY, title varchar(80) NOT NULL);
