package runner

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"net/netip"
	"sync"
)

// addresses gives every pod, and every Service asked for by name, an address of
// its own. The search starts at a place that the name decides: a StatefulSet's
// pod and a Service keep theirs when the cluster starts again.
type addresses struct {
	first uint32
	count uint32
	mu    sync.Mutex
	owner map[string]string // by address
	held  map[string]string // by owner
}

func newAddresses(prefix netip.Prefix) *addresses {
	first := prefix.Masked().Addr().As4()
	return &addresses{
		first: binary.BigEndian.Uint32(first[:]),
		count: 1 << (32 - prefix.Bits()),
		owner: map[string]string{},
		held:  map[string]string{},
	}
}

// take returns the owner's address: the one it holds, else the wanted one when
// that is free, else one found by name. The first and last of the range are
// never given.
func (a *addresses) take(owner, name, wanted string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if address, holds := a.held[owner]; holds {
		return address, nil
	}
	if _, taken := a.owner[wanted]; wanted != "" && !taken {
		a.owner[wanted], a.held[owner] = owner, wanted
		return wanted, nil
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(name))
	usable := a.count - 2
	for i := range usable {
		var raw [4]byte
		binary.BigEndian.PutUint32(raw[:], a.first+1+(hash.Sum32()%usable+i)%usable)
		address := netip.AddrFrom4(raw).String()
		if _, taken := a.owner[address]; !taken {
			a.owner[address], a.held[owner] = owner, address
			return address, nil
		}
	}
	return "", fmt.Errorf("no free address is left of %d", usable)
}

// release frees the owner's address.
func (a *addresses) release(owner string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.owner, a.held[owner])
	delete(a.held, owner)
}
