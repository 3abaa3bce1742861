// Package atomicdir shows a set of files in a directory and replaces the whole
// set at once, in the layout in which a kubelet mounts ConfigMaps and Secrets:
// every file is a link through ..data into a directory of one version, and a
// new version appears by renaming that one link. A watcher sees exactly what it
// will see in production.
package atomicdir

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	dataLink = "..data"
	nextLink = "..data_tmp"
)

// File is one file's content and permissions.
type File struct {
	Data []byte
	Mode fs.FileMode
}

// Write makes dir show exactly files, keyed by slash-separated relative path,
// and reports whether anything changed. Nothing is touched when the content is
// the same already. dir is made when absent. Paths that leave dir or start with
// ".." are refused.
func Write(dir string, files map[string]File) (changed bool, err error) {
	for path := range files {
		if !filepath.IsLocal(path) || strings.HasPrefix(path, "..") {
			return false, fmt.Errorf("write into %s: the path %q would leave the volume", dir, path)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return false, fmt.Errorf("make volume: %w", err)
	}
	current, err := os.Readlink(filepath.Join(dir, dataLink))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("read volume: %w", err)
	}
	if current != "" && same(filepath.Join(dir, current), files) {
		return false, nil
	}
	version, err := os.MkdirTemp(dir, "..version_")
	if err != nil {
		return false, fmt.Errorf("write volume: %w", err)
	}
	for path, file := range files {
		if err := writeFile(filepath.Join(version, filepath.FromSlash(path)), file); err != nil {
			return false, err
		}
	}
	next := filepath.Join(dir, nextLink)
	_ = os.Remove(next) // left behind by an interrupted write
	if err := os.Symlink(filepath.Base(version), next); err != nil {
		return false, fmt.Errorf("write volume: %w", err)
	}
	if err := os.Rename(next, filepath.Join(dir, dataLink)); err != nil {
		return false, fmt.Errorf("write volume: %w", err)
	}
	if err := link(dir, files); err != nil {
		return true, err
	}
	return true, sweep(dir, filepath.Base(version))
}

func writeFile(path string, file File) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write volume: %w", err)
	}
	if err := os.WriteFile(path, file.Data, 0o600); err != nil {
		return fmt.Errorf("write volume: %w", err)
	}
	if err := os.Chmod(path, file.Mode); err != nil { // not subject to the umask
		return fmt.Errorf("write volume: %w", err)
	}
	return nil
}

// top is the names that the volume shows in its own directory.
func top(files map[string]File) map[string]bool {
	names := make(map[string]bool, len(files))
	for path := range files {
		first, _, _ := strings.Cut(path, "/")
		names[first] = true
	}
	return names
}

// link makes the visible names and removes those of files that are gone.
func link(dir string, files map[string]File) error {
	names := top(files)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		path := filepath.Join(dir, name)
		if _, err := os.Lstat(path); err == nil {
			continue
		}
		if err := os.Symlink(filepath.Join(dataLink, name), path); err != nil {
			return fmt.Errorf("write volume: %w", err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read volume: %w", err)
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), "..") || names[entry.Name()] {
			continue
		}
		if err := os.Remove(filepath.Join(dir, entry.Name())); err != nil {
			return fmt.Errorf("remove a file that is gone from the volume: %w", err)
		}
	}
	return nil
}

// sweep removes every version but the current one.
func sweep(dir, current string) error {
	versions, err := filepath.Glob(filepath.Join(dir, "..version_*"))
	if err != nil {
		return fmt.Errorf("list versions of a volume: %w", err)
	}
	for _, version := range versions {
		if filepath.Base(version) == current {
			continue
		}
		if err := os.RemoveAll(version); err != nil {
			return fmt.Errorf("remove an old version of a volume: %w", err)
		}
	}
	return nil
}

// same tells whether the directory of a version holds exactly files.
func same(version string, files map[string]File) bool {
	found := 0
	tree := os.DirFS(version)
	err := fs.WalkDir(tree, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		want, ok := files[path]
		if !ok {
			return fs.ErrNotExist
		}
		info, err := entry.Info()
		if err != nil || info.Mode().Perm() != want.Mode.Perm() {
			return errors.Join(err, fs.ErrInvalid)
		}
		got, err := fs.ReadFile(tree, path)
		if err != nil || !bytes.Equal(got, want.Data) {
			return errors.Join(err, fs.ErrInvalid)
		}
		found++
		return nil
	})
	return err == nil && found == len(files)
}
