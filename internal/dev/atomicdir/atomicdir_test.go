package atomicdir_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"selaras.dev/selaras/internal/dev/atomicdir"
)

// visible reads what a program sees in the volume, through the links.
func visible(t rapid.TB, dir string) map[string]string {
	t.Helper()
	seen := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), "..") {
			continue
		}
		root, err := filepath.EvalSymlinks(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		err = filepath.WalkDir(root, func(path string, file fs.DirEntry, err error) error {
			if err != nil || file.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			relative, _ := filepath.Rel(root, path)
			seen[filepath.Join(entry.Name(), relative)] = string(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return seen
}

// After any sequence of writes the directory shows exactly the last set, and
// writing the same set again changes nothing.
func TestShowsExactlyTheLastSet(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(root, "volume")
		if err != nil {
			t.Fatal(err)
		}
		names := rapid.SampledFrom([]string{"a", "b", "c.txt", "d/e", "d/f/g"})
		sets := rapid.SliceOfN(rapid.MapOf(names, rapid.SampledFrom([]string{"", "1", "22"})), 1, 5).Draw(t, "sets")
		for _, set := range sets {
			files, want := map[string]atomicdir.File{}, map[string]string{}
			for name, data := range set {
				files[name] = atomicdir.File{Data: []byte(data), Mode: 0o640}
				want[filepath.Clean(name)] = data
			}
			if _, err := atomicdir.Write(dir, files); err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for name, data := range visible(t, dir) {
				got[filepath.Clean(name)] = data
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("the volume shows something else (-want +got):\n%s", diff)
			}
			if changed, err := atomicdir.Write(dir, files); err != nil || changed {
				t.Fatalf("writing the same files again: changed=%v err=%v", changed, err)
			}
		}
	})
}

// A reader that follows a link it opened keeps a whole version; permissions are
// those asked for.
func TestPermissionsAreKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := atomicdir.Write(dir, map[string]atomicdir.File{"key": {Data: []byte("x"), Mode: 0o400}}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o400 {
		t.Errorf("mode %v, want 0400", info.Mode().Perm())
	}
}

// A key can never write outside of its volume.
func TestPathsThatLeaveTheVolumeAreRefused(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"../x", "/etc/x", "..data/x", "a/../../x"} {
		if _, err := atomicdir.Write(t.TempDir(), map[string]atomicdir.File{path: {}}); err == nil {
			t.Errorf("%q was written", path)
		}
	}
}
