package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const process = `{"args":["sh"],"rlimits":[{"type":"RLIMIT_NOFILE","hard":9007199254740993}],"oomScoreAdj":-998,
	"capabilities":{"bounding":["CAP_CHOWN","CAP_SYS_RESOURCE"],"effective":["CAP_SYS_RESOURCE"]}}`

const relaxed = `{"args":["sh"],"capabilities":{"bounding":["CAP_CHOWN"],"effective":[]}}`

func TestTakesWhatTheKernelRefuses(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]struct {
		file, content, want string
		args                func(dir string) []string
	}{
		"create": {
			"config.json", `{"ociVersion":"1.0","process":` + process + `}`, `{"ociVersion":"1.0","process":` + relaxed + `}`,
			func(dir string) []string { return []string{"--root", "/run", "create", "--bundle", dir, "id"} },
		},
		"run": {
			"config.json", `{"process":` + process + `,"big":9007199254740993}`, `{"process":` + relaxed + `,"big":9007199254740993}`,
			func(dir string) []string { return []string{"run", "--bundle=" + dir, "id"} },
		},
		"exec": {
			"process.json", process, relaxed,
			func(dir string) []string { return []string{"exec", "-p", filepath.Join(dir, "process.json"), "id"} },
		},
		"a container that may be killed first": {
			"config.json", `{"process":{"oomScoreAdj":1000}}`, `{"process":{"oomScoreAdj":1000}}`,
			func(dir string) []string { return []string{"create", "--bundle", dir, "id"} },
		},
		"anything else": {
			"config.json", process, process,
			func(string) []string { return []string{"delete", "id"} },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, call.file)
			if err := os.WriteFile(file, []byte(call.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := relaxBundle(call.args(dir)); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(parse(t, call.want), parse(t, string(got))); diff != "" {
				t.Errorf("the file differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSaysWhichBundleItCouldNotRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := relaxBundle([]string{"create", "--bundle", dir, "id"}); err == nil {
		t.Error("a bundle without config.json was accepted")
	}
}

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var parsed map[string]any
	if err := decoder.Decode(&parsed); err != nil {
		t.Fatal(err)
	}
	return parsed
}
