package controlplane

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// Network is the loopback /16 of one cluster: Services in its lower half, pods
// in the upper. Two clusters on one machine have different ones, so that fixed
// ports inside pods never collide.
type Network struct {
	prefix netip.Prefix
	lock   net.Listener
}

// claimNetwork takes the network recorded in dataDir, or a free one, for as
// long as this process lives or until it is released. The claim is a socket in
// the kernel's abstract namespace: it leaves nothing behind after a crash.
func claimNetwork(dataDir string) (*Network, error) {
	path := filepath.Join(dataDir, "network")
	recorded, err := os.ReadFile(path)
	switch {
	case err == nil:
		prefix, err := netip.ParsePrefix(strings.TrimSpace(string(recorded)))
		if err != nil {
			return nil, fmt.Errorf("%s: %w; remove the data directory to start anew", path, err)
		}
		network, err := lockNetwork(prefix)
		if err != nil {
			return nil, fmt.Errorf("another development cluster on this machine uses %s, the network of %s: stop it first (%w)", prefix, dataDir, err)
		}
		return network, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read the cluster's network: %w", err)
	}
	// 127.0/16 has the machine's own servers and 127.1 is a common shorthand.
	for _, second := range rand.Perm(253) {
		prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{127, byte(second + 2), 0, 0}), 16)
		network, err := lockNetwork(prefix)
		if err != nil {
			continue
		}
		if err := writePrivate(path, []byte(prefix.String()+"\n")); err != nil {
			network.release()
			return nil, err
		}
		return network, nil
	}
	return nil, errors.New("no free loopback network is left for a development cluster: stop one of the running ones")
}

func lockNetwork(prefix netip.Prefix) (*Network, error) {
	lock, err := net.Listen("unix", "@selaras-dev/"+prefix.String())
	if err != nil {
		return nil, err
	}
	return &Network{prefix: prefix, lock: lock}, nil
}

func (n *Network) release() { _ = n.lock.Close() }

// Services is the range of cluster IPs.
func (n *Network) Services() netip.Prefix {
	return netip.PrefixFrom(n.prefix.Addr(), 17)
}

// Pods is the range of pod IPs.
func (n *Network) Pods() netip.Prefix {
	address := n.prefix.Addr().As4()
	address[2] = 128
	return netip.PrefixFrom(netip.AddrFrom4(address), 17)
}
