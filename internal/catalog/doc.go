// Package catalog is the pure domain of a catalog kept the same on many
// channels: facts, the items and stock ledgers folded from them, and the
// projection of an item to what one channel should show (DESIGN §5).
//
// Nothing here knows a clock, a goroutine, a network, Kubernetes or the hub:
// time comes in as a value, state through State, and results go out as plain
// values. Any order, duplication and replay of the facts of different lines,
// channels and SKUs gives the same state; that is what the property tests
// hold.
package catalog
