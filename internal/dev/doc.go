// Package dev is the embedded development cluster: a real Kubernetes API
// (package controlplane) and a runner that stands in for scheduler and kubelet
// (package runner), in one process and its children, with data that survives a
// restart.
//
// It applies the manifests that a real cluster is given; operator, hub,
// connectors and workers are pods of it. Package runner says where such a pod
// differs from a container.
package dev
