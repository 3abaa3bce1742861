// Package connector runs one Channel: it takes in what happens on the channel
// as facts, and makes the channel show what it should (DESIGN §5).
//
// It works per SKU and on levels, not on events: what the channel should show
// is projected from the hub's items and the channel's rules, what it was last
// read to show is remembered, and the difference is worked on until reading
// back shows none. A hundred changes of one SKU while the channel is slow are
// one write.
//
// What must survive lies in a store of the connector's own that can be lost: a
// full comparison rebuilds it. Nothing is kept in memory for a SKU that is as
// it should be.
//
// The parts, and who calls whom:
//
//	run       owns the goroutines; active only while it holds the lease
//	intake    hub records -> engine
//	engine    the one place where the state of SKUs changes; holds no goroutine
//	queue     SKUs with work to do, in the order of their worth
//	write     queue -> channel -> engine, read back
//	observe   readings of the channel -> facts -> engine
//	poll, compare, suspect, settle, webhook   why the channel is read
//	link      the connection, its credentials and health
//	budget    every request of the driver
//	report    engine -> hub and metrics
package connector
