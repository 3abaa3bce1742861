package controlplane

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
)

// unadvertised is etcd's answer to "where are you reached": etcd insists on a
// host and port although it listens on Unix sockets alone, and with one member
// nobody asks.
const unadvertised = "http://127.0.0.1:1"

// etcdArgs: one member, reachable by whoever may enter the run directory.
func etcdArgs(data, run string) []string {
	return []string{
		"--name=dev",
		"--data-dir=" + filepath.Join(data, "etcd"),
		"--listen-client-urls=unix://" + etcdSocket(run),
		"--advertise-client-urls=" + unadvertised,
		"--listen-peer-urls=unix://" + filepath.Join(run, "peer.sock"),
		"--initial-advertise-peer-urls=" + unadvertised,
		"--initial-cluster=dev=" + unadvertised,
		"--auto-compaction-retention=10m",
		"--log-level=warn",
	}
}

func etcdSocket(run string) string { return filepath.Join(run, "etcd.sock") }

// Names of the key pairs and keys in the pki directory.
const (
	servingName        = "apiserver"
	nodeClientName     = "apiserver-kubelet-client"
	serviceAccountName = "service-account.key"
)

func apiServerArgs(run, pki string, port int, services netip.Prefix) []string {
	file := func(name string) string { return filepath.Join(pki, name) }
	return []string{
		"--etcd-servers=unix://" + etcdSocket(run),
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", port),
		"--tls-cert-file=" + file(servingName+".crt"),
		"--tls-private-key-file=" + file(servingName+".key"),
		"--client-ca-file=" + file("ca.crt"),
		"--kubelet-certificate-authority=" + file("ca.crt"),
		"--kubelet-client-certificate=" + file(nodeClientName+".crt"),
		"--kubelet-client-key=" + file(nodeClientName+".key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--service-account-key-file=" + file(serviceAccountName),
		"--service-account-signing-key-file=" + file(serviceAccountName),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-cluster-ip-range=" + services.String(),
		"--authorization-mode=RBAC",
		"--allow-privileged",
		"--endpoint-reconciler-type=none",
		"--shutdown-delay-duration=0s",
	}
}

// controllersOff are the controllers without meaning on one machine. Endpoints
// and EndpointSlices may not hold loopback addresses, so their controllers
// would only fail; the runner forwards Services itself.
var controllersOff = []string{
	"endpoints-controller",
	"endpointslice-controller",
	"endpointslice-mirroring-controller",
	"node-ipam-controller",
	"persistentvolume-attach-detach-controller",
	"persistentvolume-expander-controller",
	"ttl-controller",
}

func controllerManagerArgs(kubeconfig, pki string) []string {
	controllers := []string{"*"}
	for _, name := range controllersOff {
		controllers = append(controllers, "-"+name)
	}
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--controllers=" + strings.Join(controllers, ","),
		"--leader-elect=false",
		"--secure-port=0",
		// It has the API almost to itself: no need to be polite to others.
		"--kube-api-qps=200",
		"--kube-api-burst=400",
		"--root-ca-file=" + filepath.Join(pki, "ca.crt"),
		"--service-account-private-key-file=" + filepath.Join(pki, serviceAccountName),
	}
}
