package catalog

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/hub"
)

// store is the worker's copy of the hub's records.
//
//	<subject>                 record, as in the hub
//	~meta                     meta
//	~mark.<source>.<second>   catalog.Mark: the item changes of a second
//
// It has no write-ahead log of its own: whatever is missing after a crash is
// read from the hub again, because position and records are written in one
// batch and batches are lost from the end only. The disk is left to the hub.
type store struct {
	db *pebble.DB
}

// meta is what the store knows of the whole.
type meta struct {
	// Cursor is the newest cursor whose records are in the store.
	Cursor hub.Cursor `json:"cursor"`
	// Seq and Epoch are the position in the record stream.
	Seq   uint64 `json:"seq"`
	Epoch uint64 `json:"epoch"`
	// Items is the number of items that are not removed, by source.
	Items map[string]int `json:"items,omitempty"`
	// At is when the copy last was what the hub holds.
	At time.Time `json:"at,omitzero"`
	// Counting is set while records were taken in that Items does not count.
	Counting bool `json:"counting,omitempty"`
}

// outdated says whether lines may be in the copy of which the hub does not even
// say any more that they are gone.
func (m *meta) outdated(now time.Time) bool { return now.Sub(m.At) > hub.GoneFor-24*time.Hour }

func (m *meta) position() hub.Position { return hub.Position{Seq: m.Seq, Epoch: m.Epoch} }

// storedMeta keeps the cursor's own place, which its JSON leaves out.
type storedMeta struct {
	meta
	CursorSeq uint64 `json:"cursorSeq"`
}

var (
	keyMeta    = []byte("~meta")
	markPrefix = []byte("~mark.")
	markEnd    = []byte("~mark/")
	itemPrefix = []byte("cat.item.")
	itemEnd    = []byte("cat.item/")
	linePrefix = []byte("line.")
	lineEnd    = []byte("line/")
)

// removedMark is how an item's JSON says that it is removed. Quotes within
// texts are escaped, so it stands nowhere else.
var removedMark = []byte(`"removed":true`)

func openStore(dir string, fs vfs.FS, log *slog.Logger) (*store, error) {
	options := &pebble.Options{
		FS: fs, FormatMajorVersion: pebble.FormatNewest, DisableWAL: true,
		CacheSize: 16 << 20, MemTableSize: 8 << 20, MaxOpenFiles: 200,
		Logger: pebbleLog{log},
	}
	// Most look-ups are for SKUs and lines that are new.
	options.Levels[0].FilterPolicy = bloom.FilterPolicy(10)
	for i := 1; i < len(options.Levels); i++ {
		options.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	db, err := pebble.Open(dir, options)
	if err != nil {
		return nil, fmt.Errorf("open the catalog worker's store in %s: %w", dir, err)
	}
	return &store{db: db}, nil
}

func (s *store) close() error {
	if err := errors.Join(s.db.Flush(), s.db.Close()); err != nil {
		return fmt.Errorf("close the catalog worker's store: %w", err)
	}
	return nil
}

// pebbleLog sends Pebble's chatter to debug.
type pebbleLog struct{ log *slog.Logger }

func (l pebbleLog) Infof(format string, args ...any) {
	l.log.Debug("pebble: " + fmt.Sprintf(format, args...))
}
func (l pebbleLog) Errorf(format string, args ...any) {
	l.log.Error("pebble: " + fmt.Sprintf(format, args...))
}

// Fatalf is called when the files cannot be trusted any more. The copy can be
// read from the hub again, the process cannot go on.
func (l pebbleLog) Fatalf(format string, args ...any) {
	panic("pebble: " + fmt.Sprintf(format, args...))
}

// get calls fn with the value of a key, which is valid during the call only.
// A key that is not there is no error, and fn is not called.
func (s *store) get(key []byte, fn func([]byte) error) error {
	value, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s from the catalog worker's store: %w", key, err)
	}
	err = fn(value)
	return errors.Join(err, closer.Close())
}

func (s *store) meta() (meta, error) {
	var stored storedMeta
	err := s.get(keyMeta, func(b []byte) error { return json.Unmarshal(b, &stored) })
	stored.Cursor.Seq = stored.CursorSeq
	if stored.Items == nil {
		stored.Items = map[string]int{}
	}
	return stored.meta, err
}

func putMeta(batch *pebble.Batch, m *meta) error {
	data, err := json.Marshal(storedMeta{meta: *m, CursorSeq: m.Cursor.Seq})
	if err != nil {
		return fmt.Errorf("encode the position: %w", err)
	}
	return batch.Set(keyMeta, data, nil)
}

func putRecord(batch *pebble.Batch, r *hub.Record) error {
	if r.Deleted {
		return batch.Delete([]byte(r.Subject.String()), nil)
	}
	return batch.Set([]byte(r.Subject.String()), r.Data, nil)
}

func markKey(source string, second int64) []byte {
	key := append(append([]byte(nil), markPrefix...), source...)
	key = append(key, '.')
	return binary.BigEndian.AppendUint64(key, uint64(second)) // #nosec G115 -- times after 1970
}

func putMark(batch *pebble.Batch, source string, mark catalog.Mark) error {
	return batch.Set(markKey(source, mark.Second), binary.BigEndian.AppendUint64(nil, mark.Last), nil)
}

// commit writes a batch; it reaches the disk when memory is full or the store
// is closed.
func (s *store) commit(batch *pebble.Batch) error {
	if err := batch.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("write to the catalog worker's store: %w", err)
	}
	return nil
}

// wipe throws the copy away.
func (s *store) wipe() error {
	batch := s.db.NewBatch()
	if err := batch.DeleteRange([]byte{0}, []byte{0xff}, nil); err != nil {
		return fmt.Errorf("clear the catalog worker's store: %w", errors.Join(err, batch.Close()))
	}
	return s.commit(batch)
}

// scan calls fn with every key from a lower to an upper bound, until it returns
// false.
func (s *store) scan(from, to []byte, fn func(key, value []byte) (bool, error)) (err error) {
	iter, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return fmt.Errorf("read the catalog worker's store: %w", err)
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	for ok := iter.First(); ok; ok = iter.Next() {
		value, err := iter.ValueAndErr()
		if err != nil {
			return fmt.Errorf("read the catalog worker's store: %w", err)
		}
		if more, err := fn(iter.Key(), value); err != nil || !more {
			return err
		}
	}
	return iter.Error()
}

// countItems counts the items that are not removed, by source.
func (s *store) countItems() (map[string]int, error) {
	counts := map[string]int{}
	// Keys are in the order of sources: one entry of the map for a run of them.
	source, run := "", 0
	err := s.scan(itemPrefix, itemEnd, func(key, value []byte) (bool, error) {
		name, _, _ := bytes.Cut(key[len(itemPrefix):], []byte("."))
		if string(name) != source {
			counts[source] += run
			source, run = string(name), 0
		}
		if !bytes.Contains(value, removedMark) {
			run++
		}
		return true, nil
	})
	counts[source] += run
	delete(counts, "")
	return counts, err
}

// marks reads the index of the item changes of every source.
func (s *store) marks() (map[string]*catalog.Index, error) {
	indices := map[string]*catalog.Index{}
	err := s.scan(markPrefix, markEnd, func(key, value []byte) (bool, error) {
		rest := key[len(markPrefix):]
		if len(rest) < 9 || len(value) != 8 {
			return false, fmt.Errorf("the catalog worker's store holds a malformed mark %q", key)
		}
		source, second := string(rest[:len(rest)-9]), rest[len(rest)-8:]
		index := indices[source]
		if index == nil {
			index = new(catalog.Index)
			indices[source] = index
		}
		index.Put(catalog.Mark{
			Second: int64(binary.BigEndian.Uint64(second)), // #nosec G115 -- written by putMark
			Last:   binary.BigEndian.Uint64(value),
		})
		return true, nil
	})
	return indices, err
}

// rewriteMarks stores an index in place of the marks that it was read from,
// so that they stay bounded, too.
func (s *store) rewriteMarks(indices map[string]*catalog.Index) error {
	batch := s.db.NewBatch()
	if err := batch.DeleteRange(markPrefix, markEnd, nil); err != nil {
		return fmt.Errorf("write to the catalog worker's store: %w", errors.Join(err, batch.Close()))
	}
	for source, index := range indices {
		for _, mark := range index.Marks() {
			if err := putMark(batch, source, mark); err != nil {
				return fmt.Errorf("write to the catalog worker's store: %w", errors.Join(err, batch.Close()))
			}
		}
	}
	return s.commit(batch)
}
