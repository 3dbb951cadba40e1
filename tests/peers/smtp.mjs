// An SMTP server for tests: node smtp.mjs FOLDER PORT MODE
//
// MODE: starttls (STARTTLS and AUTH), plain (neither), implicit (TLS from the start, AUTH),
// login (STARTTLS, AUTH LOGIN alone). FOLDER holds key.pem and cert.pem; mails are appended to
// mail.jsonl there, connections to connections.log and their ends to closed.log. User `u`, password `p`. Recipients beginning
// with `reject` get 550, `greylist` 451, `hangup` lose the connection, `slow` wait 3 s after the mail.
import { SMTPServer } from 'smtp-server';
import fs from 'node:fs';
import path from 'node:path';

const [folder, port, mode] = process.argv.slice(2);
const file = (name) => path.join(folder, name);
const modes = {
  starttls: { authMethods: ['PLAIN', 'LOGIN'] },
  login: { authMethods: ['LOGIN'] },
  plain: { disabledCommands: ['STARTTLS', 'AUTH'], authOptional: true },
  implicit: { secure: true, authMethods: ['PLAIN', 'LOGIN'] },
};
const refusal = (code, text) => Object.assign(new Error(text), { responseCode: code });
const refusals = [
  ['reject', 550, '5.1.1 no such user'],
  ['greylist', 451, '4.2.0 try later'],
];

function record(name, entry) {
  fs.appendFileSync(file(name), JSON.stringify(entry) + '\n');
}

let taken = 0;

function finish(stream, session, chunks, done) {
  taken++;
  const to = session.envelope.rcptTo.map((recipient) => recipient.address);
  record('mail.jsonl', {
    session: session.id,
    secure: session.secure,
    user: session.user ?? null,
    from: session.envelope.mailFrom.address,
    to,
    raw: Buffer.concat(chunks).toString('base64'),
  });
  const answer = () =>
    done(stream.sizeExceeded ? refusal(552, '5.3.4 too big') : null, 'queued as Q' + taken);
  if (to.some((address) => address.startsWith('slow'))) setTimeout(answer, 3000);
  else answer();
}

const server = new SMTPServer({
  key: fs.readFileSync(file('key.pem')),
  cert: fs.readFileSync(file('cert.pem')),
  size: 8 << 20,
  disableReverseLookup: true,
  ...modes[mode],
  onConnect(session, done) {
    record('connections.log', { session: session.id });
    done();
  },
  onClose(session) {
    record('closed.log', { session: session.id });
  },
  onAuth(auth, session, done) {
    if (auth.username === 'u' && auth.password === 'p') done(null, { user: auth.method + ' u' });
    else done(new Error('no such user or password'));
  },
  onRcptTo(address, session, done) {
    for (const [prefix, code, text] of refusals)
      if (address.address.startsWith(prefix)) return done(refusal(code, text));
    if (address.address.startsWith('hangup')) return server.connections.forEach((c) => c.close());
    done();
  },
  onData(stream, session, done) {
    const chunks = [];
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('end', () => finish(stream, session, chunks, done));
  },
});
server.on('error', (error) => console.log('error', error.message));
server.listen(Number(port), '127.0.0.1', () => console.log('ready'));
process.on('SIGTERM', () => process.exit(0));
