// Package hub is the durable middle of Selaras: an ordered log of facts, the
// folded state, configuration, reports and leases of every namespace, kept in
// NATS JetStream. It is the only package that imports NATS.
//
// A namespace of the hub is opened as a Space. A Space appends and reads facts,
// lands folds (one atomic batch of records and a cursor), reads records in
// order, and holds a small key-value store for configuration, reports and
// leases. An Authority creates namespaces and signs credentials; a Server is
// the embedded hub. docs/hub.md describes streams, subjects, messages,
// permissions and what happens when something fails.
package hub
