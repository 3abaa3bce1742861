package connector

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const someBoot, otherBoot = "6f9c0a3e-0000-4000-8000-000000000001\n", "6f9c0a3e-0000-4000-8000-000000000002\n"

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// bootFile makes a file that names a run of the kernel.
func bootFile(t *testing.T, id string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "boot_id")
	must(t, os.WriteFile(path, []byte(id), 0o600))
	return path
}

// fill commits one record as take does, and leaves the store as a killed
// process would: it is not closed.
func fillUnclosed(t *testing.T, dir string, fs vfs.FS) {
	t.Helper()
	s, err := openStore(dir, fs, quiet())
	must(t, err)
	t.Cleanup(func() { _ = s.close() })
	c := s.begin()
	must(t, c.put(recordKey("A"), (&record{known: true, ref: "1"}).encode(nil)))
	must(t, c.commit(true))
}

// has opens a copy of what is in the directory, as a successor finds it.
func has(t *testing.T, dir string, fs vfs.FS) bool {
	t.Helper()
	s, err := openStore(dir, fs, quiet())
	must(t, err)
	defer func() { must(t, s.close()) }()
	var r record
	found, err := s.readRecord("A", &r)
	must(t, err)
	return found
}

// copyOf copies a directory that a process may still have open.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	must(t, os.CopyFS(to, os.DirFS(dir)))
	return to
}

func TestAScratchStoreSurvivesItsProcess(t *testing.T) {
	t.Parallel()
	dir, boot := filepath.Join(t.TempDir(), "data"), bootFile(t, someBoot)
	fs, err := prepareScratch(dir, boot, quiet())
	must(t, err)
	if fs == nil {
		t.Fatal("a scratch store is synced")
	}
	fillUnclosed(t, dir, fs)

	left := copyOf(t, dir)
	fs, err = prepareScratch(left, boot, quiet())
	must(t, err)
	if !has(t, left, fs) {
		t.Error("lost: " + "what was committed before the process was killed (I2)")
	}
}

func TestAScratchStoreOfAnEarlierRunOfTheMachineIsThrownAway(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	fs, err := prepareScratch(dir, bootFile(t, someBoot), quiet())
	must(t, err)
	fillUnclosed(t, dir, fs)

	left := copyOf(t, dir)
	fs, err = prepareScratch(left, bootFile(t, otherBoot), quiet())
	must(t, err)
	if has(t, left, fs) {
		t.Error("still there: " + "it was never synced, and may lack anything")
	}
}

func TestAScratchStoreThatBecomesLastingIsThrownAway(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	fs, err := prepareScratch(dir, bootFile(t, someBoot), quiet())
	must(t, err)
	fillUnclosed(t, dir, fs)

	left := copyOf(t, dir)
	must(t, prepareLasting(left, quiet()))
	if has(t, left, nil) {
		t.Error("still there: " + "what was never synced must not be taken for what was")
	}
	fillUnclosed(t, left, nil)
	again := copyOf(t, left)
	must(t, prepareLasting(again, quiet()))
	if !has(t, again, nil) {
		t.Error("lost: " + "a lasting store is kept")
	}
}

func TestAnUnmarkedStoreIsNotTakenForScratch(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	fillUnclosed(t, dir, nil)

	left := copyOf(t, dir)
	fs, err := prepareScratch(left, bootFile(t, someBoot), quiet())
	must(t, err)
	if has(t, left, fs) {
		t.Error("still there: " + "nobody knows of which run of the machine it is")
	}
}

func TestWhereRunsOfTheMachineCannotBeToldApartTheStoreIsSynced(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	fs, err := prepareScratch(dir, filepath.Join(t.TempDir(), "absent"), quiet())
	must(t, err)
	if fs != nil {
		t.Error("a store that nobody can tell the age of is not synced")
	}
}

func TestNothingInScratchIsSynced(t *testing.T) {
	t.Parallel()
	mem := vfs.NewCrashableMem()
	fillUnclosed(t, "data", unsynced{mem})
	after := mem.CrashClone(vfs.CrashCloneCfg{})
	if names, err := after.List("data"); err == nil && len(names) > 0 {
		t.Errorf("files that were synced to disk: %v", names)
	}
}

func TestADirectoryOfSomebodyElseIsNotEmptied(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	theirs := filepath.Join(dir, "letter")
	must(t, os.WriteFile(theirs, []byte("dear"), 0o600))
	if _, err := prepareScratch(dir, bootFile(t, someBoot), quiet()); err == nil {
		t.Error("a directory with somebody else's files passes for a connector's")
	}
	if _, err := os.Stat(theirs); err != nil {
		t.Errorf("somebody else's file: %v", err)
	}
}
