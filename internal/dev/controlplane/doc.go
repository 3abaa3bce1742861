// Package controlplane runs a real Kubernetes API on this machine: etcd,
// kube-apiserver and kube-controller-manager as child processes, with their
// data and keys in a directory that survives a restart.
//
// etcd listens on a Unix socket only, the API server on one loopback port. RBAC
// is on, every controller runs that makes sense on one machine. The service
// network and the addresses of pods lie in one loopback /16 (Network), so that
// programs reach Services and pods without a network of their own. The API
// refuses loopback addresses in Endpoints and EndpointSlices, therefore those
// controllers are off; package runner forwards Services itself.
package controlplane
