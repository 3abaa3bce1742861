package runner

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"net/netip"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// addresses gives every pod an address of its own. The search starts at a place
// that the pod's namespace and name decide, so that a StatefulSet's pod usually
// keeps its address when it is made anew.
type addresses struct {
	first uint32
	count uint32
	mu    sync.Mutex
	taken map[string]types.UID
}

func newAddresses(prefix netip.Prefix) *addresses {
	first := prefix.Masked().Addr().As4()
	return &addresses{
		first: binary.BigEndian.Uint32(first[:]),
		count: 1 << (32 - prefix.Bits()),
		taken: map[string]types.UID{},
	}
}

// take returns the pod's address: the one it had when that is free, else
// another. The first and last of the range are never given.
func (a *addresses) take(uid types.UID, name, had string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if owner, taken := a.taken[had]; had != "" && (!taken || owner == uid) {
		a.taken[had] = uid
		return had, nil
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(name))
	usable := a.count - 2
	for i := range usable {
		var raw [4]byte
		binary.BigEndian.PutUint32(raw[:], a.first+1+(hash.Sum32()%usable+i)%usable)
		address := netip.AddrFrom4(raw).String()
		if _, taken := a.taken[address]; !taken {
			a.taken[address] = uid
			return address, nil
		}
	}
	return "", fmt.Errorf("no free pod address is left of %d", usable)
}

// release frees the pod's address.
func (a *addresses) release(uid types.UID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for address, owner := range a.taken {
		if owner == uid {
			delete(a.taken, address)
		}
	}
}
