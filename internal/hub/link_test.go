package hub

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// link is a network connection to a hub that a test can hold still.
type link struct {
	l      net.Listener
	target string
	wg     sync.WaitGroup

	mu    sync.Mutex
	open  chan struct{} // closed while traffic flows
	conns []net.Conn
}

func newLink(t testing.TB, target string) *link {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := &link{l: l, target: target, open: make(chan struct{})}
	close(k.open)
	k.wg.Go(k.accept)
	t.Cleanup(func() {
		_ = l.Close()
		k.thaw()
		k.mu.Lock()
		for _, c := range k.conns {
			_ = c.Close()
		}
		k.mu.Unlock()
		k.wg.Wait()
	})
	return k
}

func (k *link) url() string { return "nats://" + k.l.Addr().String() }

// freeze holds back everything in both directions, thaw lets it go on.
func (k *link) freeze() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.open = make(chan struct{})
}

func (k *link) thaw() {
	k.mu.Lock()
	defer k.mu.Unlock()
	select {
	case <-k.open:
	default:
		close(k.open)
	}
}

func (k *link) flows() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.open
}

func (k *link) accept() {
	for {
		in, err := k.l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", k.target)
		if err != nil {
			_ = in.Close()
			continue
		}
		k.mu.Lock()
		k.conns = append(k.conns, in, out)
		k.mu.Unlock()
		k.wg.Go(func() { k.copy(out, in) })
		k.wg.Go(func() { k.copy(in, out) })
	}
}

func (k *link) copy(dst, src net.Conn) {
	defer func() { _ = dst.Close() }()
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		if n > 0 {
			<-k.flows()
			if _, err := dst.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				_ = src.Close()
			}
			return
		}
	}
}
