// Package allot divides the stock of one SKU among the channels that sell it
// (DESIGN §5.3). A Policy says how; a Book, which is a part of the SKU's ledger,
// remembers what each channel may still sell.
//
// Where units are granted (Escrow, and Adaptive when stock is scarce), what the
// channels hold together is never more than what may be sold and the budget: a
// unit is granted to a channel before it is shown there, and granted to another
// one only after the first was read to show it no more and all that it sold
// until then is known (O'Neil, The Escrow Transactional Method, 1986; Barbará
// and Garcia-Molina, The Demarcation Protocol, 1994).
//
// Nothing here knows a clock or anything but plain values.
package allot
