// Command lint is golangci-lint with kube-api-linter built in.
// `golangci-lint custom` would make the same program, but by cloning a repository;
// importing the plugin needs nothing beyond the modules that go.sum already pins.
package main

import (
	"fmt"
	"os"
	"runtime/debug"

	"github.com/golangci/golangci-lint/v2/pkg/commands"
	"github.com/golangci/golangci-lint/v2/pkg/exitcodes"
	_ "sigs.k8s.io/kube-api-linter/pkg/plugin/base"  // registers the "kubeapilinter" linter
	_ "sigs.k8s.io/kube-api-linter/pkg/registration" // and the checks that it is made of
)

const golangci = "github.com/golangci/golangci-lint/v2"

func main() {
	if err := commands.Execute(buildInfo()); err != nil {
		fmt.Fprintf(os.Stderr, "lint: %v\n", err)
		os.Exit(exitcodes.Failure)
	}
}

// buildInfo reports the version of the golangci-lint module that was linked in, not that of this wrapper.
func buildInfo() commands.BuildInfo {
	info := commands.BuildInfo{Version: "unknown", Commit: "unknown", Date: "unknown"}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return info
	}
	info.GoVersion = build.GoVersion
	for _, dep := range build.Deps {
		if dep.Path == golangci {
			info.Version, info.Commit = dep.Version, dep.Sum
		}
	}
	return info
}
