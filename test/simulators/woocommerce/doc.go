// Package woocommerce simulates a WooCommerce shop: an HTTP server that keeps
// products, variations, stock, orders and webhooks, and answers the REST API v3
// as the code of WooCommerce and WordPress does. It is a simulator and no
// WooCommerce: what plugins, themes and payment do is not in it, and KSES is
// there in outline only.
//
// What it does as the original does:
//
//   - requests over plain HTTP are signed (OAuth 1.0a without a token, nonces
//     once only), over TLS the key and its secret are taken;
//   - errors are {code, message, data: {status}}, lists have X-WP-Total,
//     X-WP-TotalPages and Link, at most 100 items a page;
//   - batches hold at most 100 items, each of which answers for itself;
//   - lists of products leave variations out, except for SKUs; SKUs are unique,
//     tidied, and compared without regard to capitals;
//   - times are whole seconds, and a filter by time reads a zone as WordPress
//     does;
//   - orders take stock when they are put on hold, in process or completed, and
//     give it back when they are cancelled or pending; refunds give back units
//     where they are asked to, and lines say what they have taken;
//   - webhooks are delivered later, once, in no certain order, with a signature
//     over the body; a new one is announced by an unsigned form; after more than
//     five failures in a row it is disabled; deliveries of one webhook in one
//     second have one id.
//
// What goes wrong with real shops can be made to happen: see faults.go and
// front.go.
package woocommerce
