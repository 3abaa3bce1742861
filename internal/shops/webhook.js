'use strict';
// Webhooks after the Standard Webhooks specification, for shops that have none
// of their own; merchants add a plugin like this one. It sends each event once
// and does not retry, as most such plugins do, so a receiver that is down
// misses events and has to poll.

const crypto = require('node:crypto');
const fs = require('node:fs');

const TIMEOUT_MS = 10_000;

// HOOK_FILE holds {"url": "...", "secret": "whsec_..."}. It is read for every
// event, because the receiver's address is often known only after the shop runs.
function subscription() {
  try {
    return JSON.parse(fs.readFileSync(process.env.HOOK_FILE, 'utf8'));
  } catch {
    return {};
  }
}

function sign(secret, id, timestamp, body) {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const mac = crypto.createHmac('sha256', key).update(`${id}.${timestamp}.${body}`);
  return 'v1,' + mac.digest('base64');
}

async function deliver(type, data) {
  const { url, secret } = subscription();
  if (!url) return;
  const id = 'msg_' + crypto.randomBytes(16).toString('hex');
  const now = new Date();
  const timestamp = String(Math.floor(now.getTime() / 1000));
  const body = JSON.stringify({ type, timestamp: now.toISOString(), data });
  const headers = {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': timestamp,
  };
  if (secret) headers['webhook-signature'] = sign(secret, id, timestamp, body);
  try {
    const response = await fetch(url, {
      method: 'POST', headers, body, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.arrayBuffer();
    if (!response.ok) console.error(`webhook ${type}: receiver answered ${response.status}`);
  } catch (err) {
    console.error(`webhook ${type}: not delivered: ${err.message}`);
  }
}

module.exports = { deliver };
