// A correct merchant in Node, with nothing but its own modules: node shop_node.js
// The secret is in PAY88_WEBHOOK_SECRET. Prints its port, and ends when its input does.
'use strict';

const crypto = require('crypto');
const http = require('http');

const PATH = '/webhooks/88pay';
const LONGEST = 64 * 1024;
const FRESH = 5 * 60 * 1000;
const key = crypto.createHash('sha256').update(process.env.PAY88_WEBHOOK_SECRET).digest();
const orders = new Map(); // transaction_id → { reference, status }

function decrypt(authorization) {
  const [scheme, token] = (authorization || '').split(' ');
  const [header, , nonce, sealed, tag] = (token || '').split('.');
  if (scheme !== 'Bearer' || !tag) return null;
  try {
    const decipher = crypto.createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64url'));
    decipher.setAAD(Buffer.from(header));
    decipher.setAuthTag(Buffer.from(tag, 'base64url'));
    const content = Buffer.concat([
      decipher.update(Buffer.from(sealed, 'base64url')),
      decipher.final(),
    ]);
    return JSON.parse(content.toString());
  } catch {
    return null;
  }
}

function receive(body, authorization) {
  let fields;
  try {
    fields = JSON.parse(body);
  } catch {
    return 400;
  }
  const { transaction_id: id, transaction_amount: amount, transaction_status: status } = fields || {};
  if (!id || !amount || !status) return 400;
  const claims = decrypt(authorization);
  if (!claims || claims.transaction_id !== id || claims.transaction_amount !== amount) return 401;
  if (!(Math.abs(Date.now() - claims.ts) <= FRESH)) return 401;
  // The first final status stays.
  if ((status === 'COMPLETED' || status === 'REJECTED') && !orders.has(id)) {
    orders.set(id, { reference: fields.transaction_reference, status });
  }
  return 200;
}

function answer(response, status, content) {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(content));
}

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  if (url.pathname === '/effects') {
    const reference = url.searchParams.get('reference');
    const paid = [...orders.values()].filter(
      (order) => order.reference === reference && order.status === 'COMPLETED',
    );
    return answer(response, 200, { count: paid.length });
  }
  if (url.pathname !== PATH) return answer(response, 404, {});
  if (request.method !== 'POST') return answer(response, 405, {});
  const parts = [];
  let length = 0;
  request.on('data', (part) => {
    length += part.length;
    if (length <= LONGEST) parts.push(part);
  });
  return request.on('end', () => {
    if (length > LONGEST) return answer(response, 413, {});
    const status = receive(Buffer.concat(parts).toString(), request.headers.authorization);
    return answer(response, status, { received: status === 200 });
  });
});

server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit()).resume();
