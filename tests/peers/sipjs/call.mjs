// Calls `answer` over a WebSocket with SIP.js, without registering, and hangs up.
// Usage: node call.mjs PORT
import WebSocket from "ws";
import { Inviter, SessionState, UserAgent } from "sip.js";

globalThis.WebSocket = WebSocket;

// No WebRTC here: one line of audio that nobody sends.
const offer = [
  "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
  "m=audio 40000 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "",
].join("\r\n");
let answer;
const sessionDescriptionHandlerFactory = () => ({
  close() {},
  getDescription: async () => ({ body: offer, contentType: "application/sdp" }),
  hasDescription: (type) => type === "application/sdp",
  sendDtmf: () => false,
  setDescription: async (sdp) => { answer = sdp; },
});

const host = `127.0.0.1:${process.argv[2]}`;
const agent = new UserAgent({
  uri: UserAgent.makeURI("sip:alice@example.com"),
  transportOptions: { server: `ws://${host}` },
  sessionDescriptionHandlerFactory,
  logLevel: "error",
});
await agent.start();
const call = new Inviter(agent, UserAgent.makeURI(`sip:bob@${host};transport=ws`));
const ended = new Promise((resolve, reject) => {
  setTimeout(() => reject(new Error("it takes too long")), 20_000).unref();
  call.stateChange.addListener((state) => {
    console.log(state);
    if (state === SessionState.Established) call.bye();
    if (state === SessionState.Terminated) resolve();
  });
});
await call.invite();
await ended;
if (!answer?.startsWith("v=0")) throw new Error("no answer to the offer");
await agent.stop();
console.log("done");
process.exit(0);
