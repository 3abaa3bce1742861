// Package woocommerce is the driver for WooCommerce (https://woocommerce.com),
// the shop plugin of WordPress, through its REST API v3.
//
// What its code does and shaped this driver (WooCommerce 5.8 to 10):
//
//   - A variation is no product of its own in lists: GET /products leaves
//     variations out, except where it is asked for SKUs. A product names its
//     variations by id, and since 10.3 GET /variations reads those of many
//     products at once.
//   - Saving a variation saves its product too, and every save moves
//     date_modified, also the one by which an order takes stock. So what changed
//     is one list, of products.
//   - Times are whole seconds. A time with a zone in a filter is turned into
//     the site's own zone, even where dates_are_gmt is set: times are sent
//     without one.
//   - A batch is carried out item by item: each answers for itself within HTTP
//     200, and a batch that was cut off is done in part.
//   - A variation in the batch of another product becomes one of that product.
//     Variations are always read before they are written.
//   - WordPress filters what is said (KSES): a bare & becomes &amp;, and
//     backslashes are lost. What the answer shows otherwise than it was sent is
//     told as such.
//   - stock_quantity is what may be sold: an order takes its units when it is
//     put on hold or paid, and each of its lines says how many it has taken
//     (_reduced_stock).
//   - Plain HTTP wants each request signed (OAuth 1.0a, one-legged); HTTPS takes
//     the key as user name and password.
package woocommerce
