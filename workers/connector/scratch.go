package connector

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// bootIDFile tells one run of the kernel from another, see random(4).
const bootIDFile = "/proc/sys/kernel/random/boot_id"

// bootMark is the file in a scratch directory that names the run of the kernel
// in which it was written.
const bootMark = "boot"

// disk is the file system of the store, nil for the machine's own.
func (c *connector) disk() (vfs.FS, error) {
	switch {
	case c.o.fs != nil:
		return c.o.fs, nil
	case c.o.Scratch:
		return prepareScratch(c.o.DataDir, bootIDFile, c.o.Logger)
	default:
		return nil, prepareLasting(c.o.DataDir, c.o.Logger)
	}
}

// prepareScratch makes a directory ready for a store that is never synced, and
// returns the file system for it.
//
// What a process has handed to the kernel survives the process, however it
// ends; only the machine can lose it. An emptyDir is there for as long as its
// machine is, so that syncing it buys one thing: that it may be used after the
// kernel was started anew. That is what a full comparison is for, as after the
// loss of the pod. So nothing is synced, and whatever an earlier run of the
// kernel left is thrown away. Where the runs cannot be told apart the store is
// synced: the file system is nil.
func prepareScratch(dir, bootIDFile string, log *slog.Logger) (vfs.FS, error) {
	boot, err := os.ReadFile(bootIDFile) // #nosec G304 -- a constant but for tests
	if err != nil || len(bytes.TrimSpace(boot)) == 0 {
		log.Info("runs of the kernel cannot be told apart here: the store is synced to disk", "error", err)
		return nil, prepareLasting(dir, log)
	}
	mark := filepath.Join(dir, bootMark)
	was, err := os.ReadFile(mark) // #nosec G304 -- in the data directory
	switch {
	case err == nil && bytes.Equal(was, boot):
		return unsynced{vfs.Default}, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read what run of the kernel %s is from: %w", dir, err)
	}
	if err := empty(dir, log); err != nil {
		return nil, err
	}
	// The mark is last: a directory without it is emptied again.
	if err := os.WriteFile(mark, boot, 0o600); err != nil { // #nosec G703 -- in the data directory
		return nil, fmt.Errorf("mark %s with the run of the kernel: %w", dir, err)
	}
	return unsynced{vfs.Default}, nil
}

// prepareLasting makes a directory ready for a store that is synced. One that
// was not may have lost anything.
func prepareLasting(dir string, log *slog.Logger) error {
	if _, err := os.Stat(filepath.Join(dir, bootMark)); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("look whether %s was ever synced: %w", dir, err)
	}
	return empty(dir, log)
}

// empty removes what is in a directory, the mark last.
func empty(dir string, log *slog.Logger) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("list %s: %w", dir, err)
	}
	if len(entries) > 0 && !slices.ContainsFunc(entries, ofStore) {
		return fmt.Errorf("%s is not empty and holds no connector's store: give the connector a directory of its own (--data-dir)", dir)
	}
	if len(entries) > 0 {
		log.Info("what the store holds was not synced before the machine stopped: the channel is read anew", "directory", dir)
	}
	for _, entry := range entries {
		if entry.Name() == bootMark {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
			return fmt.Errorf("empty %s: %w", dir, err)
		}
	}
	if err := os.Remove(filepath.Join(dir, bootMark)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("empty %s: %w", dir, err)
	}
	return nil
}

// ofStore reports whether a file says that its directory is a store's: our mark,
// or the lock that Pebble makes before anything else.
func ofStore(entry fs.DirEntry) bool { return entry.Name() == bootMark || entry.Name() == "LOCK" }

// unsynced is a file system that hands everything to the kernel and leaves it
// to it when to put it on disk.
type unsynced struct{ vfs.FS }

func (u unsynced) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return unsyncedFile(u.FS.Create(name, category))
}

func (u unsynced) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return unsyncedFile(u.FS.OpenReadWrite(name, category, opts...))
}

func (u unsynced) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return unsyncedFile(u.FS.ReuseForWrite(oldname, newname, category))
}

func (u unsynced) OpenDir(name string) (vfs.File, error) {
	return unsyncedFile(u.FS.OpenDir(name))
}

// Unwrap lets Pebble find the file system below.
func (u unsynced) Unwrap() vfs.FS { return u.FS }

type neverSynced struct{ vfs.File }

func unsyncedFile(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return neverSynced{f}, nil
}

func (neverSynced) Sync() error                { return nil }
func (neverSynced) SyncData() error            { return nil }
func (neverSynced) SyncTo(int64) (bool, error) { return false, nil }
