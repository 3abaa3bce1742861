package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const root = "../.."

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func rulesOf(t *testing.T) ruleFile {
	t.Helper()
	rules, err := parseRules(readFile(t, rulesFile))
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func TestGeneratedFilesAreUpToDate(t *testing.T) {
	files, err := generate(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if string(readFile(t, name)) != string(files[name]) {
			t.Errorf("%s is stale: run make generate and commit it", name)
		}
	}
}
