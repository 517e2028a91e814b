import { render } from 'preact';
import { App } from './app.tsx';
import { listen } from './live.ts';
import { keepChoices } from './theme.ts';

keepChoices();
listen();
const place = document.querySelector('#app');
if (place !== null) render(<App />, place);
