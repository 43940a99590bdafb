// Make, list, change, rotate and delete a webhook, and connect an account, by the official Node SDK.
//
//     node webhooks.js API_URI API_KEY WEBHOOK_URL
//
// Prints one JSON object: what each call answered.
import Nylas, { WebhookTriggers } from "nylas";

const [apiUri, apiKey, webhookUrl] = process.argv.slice(2);
const nylas = new Nylas({ apiKey, apiUri });

const created = await nylas.webhooks.create({
  requestBody: {
    triggerTypes: [WebhookTriggers.MessageCreated, WebhookTriggers.GrantImapSyncCompleted],
    webhookUrl,
    description: "from Node",
  },
});
const id = created.data.id;
const found = await nylas.webhooks.find({ webhookId: id });
const listed = await nylas.webhooks.list();
const updated = await nylas.webhooks.update({
  webhookId: id,
  requestBody: { triggerTypes: [WebhookTriggers.GrantExpired], webhookUrl },
});
const rotated = await nylas.webhooks.rotateSecret({ webhookId: id });
const addresses = await nylas.webhooks.ipAddresses();
const destroyed = await nylas.webhooks.destroy({ webhookId: id });
let gone = null;
try {
  await nylas.webhooks.find({ webhookId: id });
} catch (error) {
  gone = { status: error.statusCode, type: error.type, requestId: error.requestId };
}
console.log(JSON.stringify({ created, found, listed, updated, rotated, addresses, destroyed, gone }));
