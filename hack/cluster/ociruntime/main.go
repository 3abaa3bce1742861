// Command ociruntime stands in front of runc on a host whose processes may not raise resource limits: it takes from
// a container's bundle what only CAP_SYS_RESOURCE allows, and hands over to runc.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// runc is the runtime behind this one. The build sets it (-ldflags "-X main.runc=…").
var runc = "/usr/sbin/runc"

const denied = "CAP_SYS_RESOURCE"

func main() {
	if err := relaxBundle(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "ociruntime:", err)
		os.Exit(1)
	}
	err := syscall.Exec(runc, append([]string{runc}, os.Args[1:]...), os.Environ()) //nolint:gosec // its callers mean runc
	fmt.Fprintf(os.Stderr, "ociruntime: %s: %v\n", runc, err)
	os.Exit(1)
}

// relaxBundle rewrites the file that describes the process which runc is about to start, if it starts one.
func relaxBundle(args []string) error {
	switch {
	case slices.Contains(args, "create"), slices.Contains(args, "run"):
		bundle := option(args, "-b", "--bundle")
		return rewrite(filepath.Join(bundle, "config.json"), func(spec map[string]any) {
			if process, ok := spec["process"].(map[string]any); ok {
				relaxProcess(process)
			}
		})
	case slices.Contains(args, "exec"):
		if file := option(args, "-p", "--process"); file != "" {
			return rewrite(file, relaxProcess)
		}
	}
	return nil
}

// option is the value of an option written as "--name value" or "--name=value".
func option(args []string, short, long string) string {
	for i, arg := range args {
		if (arg == short || arg == long) && i+1 < len(args) {
			return args[i+1]
		}
		if value, ok := strings.CutPrefix(arg, long+"="); ok {
			return value
		}
	}
	return ""
}

func rewrite(file string, change func(map[string]any)) error {
	raw, err := os.ReadFile(file) //nolint:gosec // the caller says which bundle
	if err != nil {
		return err
	}
	var content map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber()
	if err := decoder.Decode(&content); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	change(content)
	changed, err := json.Marshal(content)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return os.WriteFile(file, changed, 0o600) //nolint:gosec // the one that was read
}

// relaxProcess drops the capability, the resource limits and a protection from the out-of-memory killer, which the
// kernel all refuses to a process without the capability.
func relaxProcess(process map[string]any) {
	delete(process, "rlimits")
	if score, ok := process["oomScoreAdj"].(json.Number); ok && strings.HasPrefix(score.String(), "-") {
		delete(process, "oomScoreAdj")
	}
	sets, _ := process["capabilities"].(map[string]any)
	for name, set := range sets {
		if names, ok := set.([]any); ok {
			sets[name] = slices.DeleteFunc(names, func(name any) bool { return name == denied })
		}
	}
}
