package podspec

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Translator rewrites the places that a container names into those where a
// local process finds them, in arguments and environment values:
//
//   - a path at or below a mountPath becomes the path of the volume's directory;
//   - <service>.<namespace>.svc[.cluster.local] becomes the address it resolves to;
//   - a listen address without a host, or with 0.0.0.0 or [::], and a declared
//     containerPort becomes the pod's own address: the port stays the same.
//
// What a program has hard-coded, or reads from a file, is not rewritten: our
// workloads take paths and addresses from arguments and environment.
type Translator struct {
	mounts  []mount
	resolve func(host string) (address string, ok bool)
	address string
	ports   map[string]bool
}

type mount struct{ container, local string }

// NewTranslator makes the translator of a container. mounts maps its mount
// paths to local paths; resolve answers for a Service's DNS name.
func NewTranslator(container *corev1.Container, address string, mounts map[string]string, resolve func(host string) (string, bool)) *Translator {
	t := &Translator{resolve: resolve, address: address, ports: map[string]bool{}}
	for inside, local := range mounts {
		t.mounts = append(t.mounts, mount{container: path.Clean(inside), local: local})
	}
	// The longest first: a volume may be mounted below another.
	slices.SortFunc(t.mounts, func(a, b mount) int { return len(b.container) - len(a.container) })
	for _, port := range container.Ports {
		t.ports[strconv.Itoa(int(port.ContainerPort))] = true
	}
	return t
}

var (
	serviceName   = regexp.MustCompile(`\b((?:[a-z0-9-]+\.){2,3}svc)(?:\.cluster\.local)?\b`)
	listenAddress = regexp.MustCompile(`(^|[=,\s"']|//)(0\.0\.0\.0|\[::\])?:([0-9]{1,5})($|[,\s"'/])`)
)

// Text rewrites one argument or value.
func (t *Translator) Text(text string) string {
	text = serviceName.ReplaceAllStringFunc(text, func(host string) string {
		if address, ok := t.resolve(strings.TrimSuffix(host, ".cluster.local")); ok {
			return address
		}
		return host
	})
	text = listenAddress.ReplaceAllStringFunc(text, func(match string) string {
		part := listenAddress.FindStringSubmatch(match)
		if !t.ports[part[3]] {
			return match
		}
		return part[1] + t.address + ":" + part[3] + part[4]
	})
	return t.paths(text)
}

// Path rewrites a path that stands alone, and says whether it lies in a volume.
func (t *Translator) Path(name string) (string, bool) {
	local := t.paths(name)
	return local, local != name
}

func (t *Translator) paths(text string) string {
	var out strings.Builder
	for text != "" {
		at, found := -1, mount{}
		for _, candidate := range t.mounts {
			if i := indexPath(text, candidate.container, out.Len() == 0); i >= 0 && (at < 0 || i < at) {
				at, found = i, candidate
			}
		}
		if at < 0 {
			break
		}
		out.WriteString(text[:at])
		out.WriteString(found.local)
		text = text[at+len(found.container):]
	}
	out.WriteString(text)
	return out.String()
}

// indexPath finds the first place in text where prefix is a whole path or the
// leading directories of one.
func indexPath(text, prefix string, atStart bool) int {
	for from := 0; ; {
		i := strings.Index(text[from:], prefix)
		if i < 0 {
			return -1
		}
		i += from
		end := i + len(prefix)
		begins := i == 0 && atStart || i > 0 && !inPath(text[i-1]) || strings.HasSuffix(text[:i], "file://")
		ends := end == len(text) || text[end] == '/' || !inPath(text[end])
		if begins && ends {
			return i
		}
		from = i + 1
	}
}

func inPath(c byte) bool {
	return c == '/' || c == '.' || c == '-' || c == '_' ||
		'0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
