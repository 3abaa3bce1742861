// Package catalog is the catalog worker of a namespace: the one place where
// facts become items and stock ledgers (DESIGN §2, §5). It is a thin shell
// around internal/catalog.
//
// One worker of a namespace is active, by a lease; the others follow the
// records and stand by. The active one reads facts in order and lands them in
// batches: one atomic batch of the hub holds the changed records and the
// cursor, with a compare-and-set on the cursor alone, so that every fact has
// its effect exactly once and a worker that lost its lease without noticing
// lands nothing.
//
// The state lies in Pebble, keyed by record subject, and is a copy of the
// hub's records that can be thrown away: a batch is written there only after
// the hub has stored it, and at the start the records after the copy's
// position are read. Nothing is held in memory per SKU.
package catalog
