// One step of a story, by the official Node SDK:
//
//     node story.js API_URI API_KEY connect SETTINGS_JSON
//     node story.js API_URI API_KEY read|calendars GRANT
//     node story.js API_URI API_KEY send GRANT ADDRESS
//     node story.js API_URI API_KEY detect ADDRESS
//
// Prints one JSON object: {"data": …} or {"status", "type", "provider_error"}.
import Nylas from "nylas";

const [apiUri, apiKey, step, subject, address] = process.argv.slice(2);
const nylas = new Nylas({ apiKey, apiUri, timeout: 90 });

const steps = {
  connect: () =>
    nylas.auth.customAuthentication({ requestBody: { provider: "imap", settings: JSON.parse(subject) } }),
  read: () => nylas.messages.list({ identifier: subject, queryParams: { limit: 5 } }),
  detect: () => nylas.auth.detectProvider({ email: subject, allProviderTypes: true }),
  calendars: () => nylas.calendars.list({ identifier: subject }),
  send: () =>
    nylas.messages.send({
      identifier: subject,
      requestBody: { to: [{ email: address }], subject: "By Node", body: "<p>Hello</p>" },
    }),
};
try {
  const answer = await steps[step]();
  console.log(JSON.stringify({ data: answer.data }));
} catch (error) {
  console.log(JSON.stringify({ status: error.statusCode, type: error.type, provider_error: error.providerError }));
}
