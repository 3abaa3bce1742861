// Package architecture holds the arrows of the house (DESIGN §3): which package may know which.
// It has no code of its own; its test reads the imports of the whole module.
//
//	floor 4  cmd/            puts everything together
//	floor 3  controllers/    workers/            they meet in the hub, not in each other
//	floor 2  internal/...    domain (catalog, journey), workload, hub, metrics, the dev cluster
//	floor 1  connectors/...  api/...             drivers know only connectors/driver
//
// Arrows run down only. The domain imports neither HTTP nor, not even through others, Kubernetes and NATS;
// internal/hub alone imports NATS.
package architecture
