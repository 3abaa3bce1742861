package hub

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Durability says whether the hub answers a write before or after it reached
// the disk.
type Durability string

// What is known of the hub's durability.
const (
	// DurabilityAlways: every answered write was synced to disk.
	DurabilityAlways Durability = "always"
	// DurabilityLazy: the server syncs at intervals; a power loss can take
	// answered writes with it.
	DurabilityLazy Durability = "lazy"
	// DurabilityUnknown: the credentials do not allow to ask the server.
	DurabilityUnknown Durability = "unknown"
)

// Position is a place in one life of a stream.
type Position struct {
	// Seq is the last sequence seen, 0 for none.
	Seq uint64
	// Epoch is the life of the stream in which Seq was seen: its creation time
	// in nanoseconds. 0 means unknown and is not checked.
	Epoch uint64
}

// StreamState describes one stream of a namespace.
type StreamState struct {
	Name string
	// Epoch changes when the stream is created anew: its creation time in
	// nanoseconds.
	Epoch uint64
	// FirstSeq and LastSeq bound what is stored. LastSeq survives trimming.
	FirstSeq, LastSeq uint64
	// Messages and Bytes are what is stored now.
	Messages, Bytes uint64
	// MaxBytes is the stream's own limit, -1 for none but the namespace's.
	MaxBytes int64
	// Replicas of the stream.
	Replicas int
}

// State describes the hub as far as the credentials allow to see it.
type State struct {
	Facts, Records, Config StreamState
	Durability             Durability
	Isolation              Isolation
}

// Durability is what was known of the hub's durability when the Space was
// opened; State says the same beside what it asks for.
func (s *Space) Durability() Durability { return s.durable }

// State asks the hub for the state of the namespace's streams. Connectors have
// no right to it and get ErrForbidden.
func (s *Space) State(ctx context.Context) (State, error) {
	st := State{Durability: s.durable, Isolation: s.isolation}
	for _, x := range []struct {
		stream string
		into   *StreamState
	}{{s.l.facts, &st.Facts}, {s.l.cat, &st.Records}, {s.l.kv(), &st.Config}} {
		err := s.retry(ctx, "read the state of "+x.stream, func(ctx context.Context) error {
			info, err := s.streamState(ctx, x.stream)
			*x.into = info
			return err
		})
		if err != nil {
			return State{}, err
		}
	}
	return st, nil
}

func (s *Space) streamState(ctx context.Context, stream string) (StreamState, error) {
	info, err := s.streamInfo(ctx, stream)
	if err != nil {
		return StreamState{}, err
	}
	return StreamState{
		Name: stream, Epoch: epochOf(info.Created),
		FirstSeq: info.State.FirstSeq, LastSeq: info.State.LastSeq,
		Messages: info.State.Msgs, Bytes: info.State.Bytes,
		MaxBytes: info.Config.MaxBytes, Replicas: info.Config.Replicas,
	}, nil
}

func (s *Space) streamInfo(ctx context.Context, stream string) (info jetstream.StreamInfo, err error) {
	err = s.call(ctx, "STREAM.INFO."+stream, nil, &info)
	return info, err
}

func epochOf(created time.Time) uint64 { return uint64(created.UnixNano()) }

// regressed compares a reader's position with the stream.
func regressed(p Position, now StreamState) error {
	switch {
	case p.Epoch != 0 && p.Epoch != now.Epoch:
		return fmt.Errorf("%w: %s was created anew at %s, the position is from its life of %s", ErrRegressed, now.Name,
			time.Unix(0, int64(now.Epoch)).UTC().Format(time.RFC3339), time.Unix(0, int64(p.Epoch)).UTC().Format(time.RFC3339))
	case p.Seq > now.LastSeq:
		return fmt.Errorf("%w: %s ends at %d, the position is %d", ErrRegressed, now.Name, now.LastSeq, p.Seq)
	case p.Epoch != 0 && now.Messages > 0 && now.FirstSeq > p.Seq+1:
		return fmt.Errorf("%w: %s begins at %d, the position is %d; what was between is gone", ErrRegressed, now.Name, now.FirstSeq, p.Seq)
	}
	return nil
}
