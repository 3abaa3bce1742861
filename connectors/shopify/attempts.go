package shopify

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"sync"
)

// maxAttempts bounds what is remembered of answered writes.
const maxAttempts = 20_000

// attempts makes the idempotency keys of stock writes.
//
// A key is made of everything that the write says, its versions included, and of
// how many such writes were answered. So the write that is sent again because
// nobody knows what became of it has the key of the first, and the shop carries
// out one of them. But the write that is decided anew, because somebody put the
// old quantity back meanwhile, has another key: under the first one the shop
// would answer that it is done, and do nothing.
type attempts struct {
	mu       sync.Mutex
	answered map[[sha256.Size]byte]uint32
}

func newAttempts() *attempts { return &attempts{answered: map[[sha256.Size]byte]uint32{}} }

// attempt is one write of some quantities.
type attempt struct {
	of [sha256.Size]byte
	n  uint32
}

// begin is the next attempt at a write that says the text.
func (a *attempts) begin(text []byte) attempt {
	of := sha256.Sum256(text)
	a.mu.Lock()
	defer a.mu.Unlock()
	return attempt{of: of, n: a.answered[of]}
}

// end notes that the shop has answered the attempt.
func (a *attempts) end(t attempt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.answered) >= maxAttempts {
		clear(a.answered)
	}
	a.answered[t.of] = max(a.answered[t.of], t.n+1)
}

// key is the attempt's idempotency key, in the form of a UUID.
func (t attempt) key() string {
	sum := sha256.Sum256(binary.BigEndian.AppendUint32(t.of[:], t.n))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // version 8 (RFC 9562)
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
