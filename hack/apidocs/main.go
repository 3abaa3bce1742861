// Command apidocs writes the tables of fields, conditions and reasons in
// docs/channel.md and docs/catalogsync.md from the CRDs and the documented
// constants, between the markers that name them. Run by `make generate`; what
// stands around the markers is written by people.
package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "apidocs:", err)
		os.Exit(1)
	}
}

// run writes the pages of all kinds below a root directory.
func run(root string) error {
	reasons, err := reasonTable(filepath.Join(root, "api", "v1alpha1", "conditions.go"))
	if err != nil {
		return err
	}
	for page, crd := range map[string]string{"channel": "channels", "catalogsync": "catalogsyncs"} {
		schema, err := schemaOf(filepath.Join(root, "config", "crd", "bases", "selaras.dev_"+crd+".yaml"))
		if err != nil {
			return err
		}
		sections := map[string]string{
			"spec":    fieldTable("spec", schema.Properties["spec"]),
			"status":  fieldTable("status", schema.Properties["status"]),
			"reasons": reasons,
		}
		if err := fill(filepath.Join(root, "docs", page+".md"), sections); err != nil {
			return err
		}
	}
	return nil
}

func schemaOf(path string) (*apiextensionsv1.JSONSchemaProps, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the CRD (made by `make manifests`): %w", err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(text, &crd); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if len(crd.Spec.Versions) == 0 || crd.Spec.Versions[0].Schema == nil {
		return nil, fmt.Errorf("%s has no schema", path)
	}
	return crd.Spec.Versions[0].Schema.OpenAPIV3Schema, nil
}

// foreign are fields whose insides are Kubernetes' own and documented there.
var foreign = map[string]bool{"affinity": true, "tolerations": true, "resources": true, "conditions": true, "selector": true}

// fieldTable lists the fields below one, depth first, in alphabetical order.
func fieldTable(name string, schema apiextensionsv1.JSONSchemaProps) string {
	var out strings.Builder
	out.WriteString("| field | type | meaning |\n|---|---|---|\n")
	var walk func(path string, s apiextensionsv1.JSONSchemaProps)
	walk = func(path string, s apiextensionsv1.JSONSchemaProps) {
		for _, key := range sortedKeys(s.Properties) {
			field := s.Properties[key]
			kind, inner := typeOf(field)
			if slices.Contains(s.Required, key) {
				kind += ", required"
			}
			fmt.Fprintf(&out, "| `%s.%s` | %s | %s |\n", path, key, kind, oneLine(field.Description))
			if !foreign[key] {
				walk(path+"."+key, inner)
			}
		}
	}
	walk(name, schema)
	return out.String()
}

// typeOf names a field's type and returns where its own fields are.
func typeOf(s apiextensionsv1.JSONSchemaProps) (string, apiextensionsv1.JSONSchemaProps) {
	switch {
	case s.Type == "array" && s.Items != nil && s.Items.Schema != nil:
		kind, inner := typeOf(*s.Items.Schema)
		return "list of " + kind, inner
	case len(s.Enum) > 0:
		values := make([]string, 0, len(s.Enum))
		for _, value := range s.Enum {
			text, err := strconv.Unquote(string(value.Raw))
			if err != nil {
				text = string(value.Raw)
			}
			values = append(values, "`"+text+"`")
		}
		return strings.Join(values, ", "), s
	case s.XIntOrString:
		return "quantity", s
	}
	return s.Type, s
}

func sortedKeys(m map[string]apiextensionsv1.JSONSchemaProps) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// oneLine makes a description fit a table's cell.
func oneLine(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", "\\|")
}

// reasonTable lists the documented reasons, in the order and under the
// headings of the source.
func reasonTable(path string) (string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		return "", fmt.Errorf("reading the reasons: %w", err)
	}
	var out strings.Builder
	for _, decl := range file.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		rows := reasonRows(group)
		if rows == "" {
			continue
		}
		fmt.Fprintf(&out, "%s\n\n| reason | meaning |\n|---|---|\n%s\n", oneLine(group.Doc.Text()), rows)
	}
	if out.Len() == 0 {
		return "", fmt.Errorf("%s has no reasons", path)
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}

func reasonRows(group *ast.GenDecl) string {
	var rows strings.Builder
	for _, spec := range group.Specs {
		value, ok := spec.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(value.Names[0].Name, "Reason") || len(value.Values) != 1 {
			continue
		}
		literal, ok := value.Values[0].(*ast.BasicLit)
		if !ok {
			continue
		}
		_, meaning, _ := strings.Cut(oneLine(value.Doc.Text()), ": ")
		fmt.Fprintf(&rows, "| `%s` | %s |\n", strings.Trim(literal.Value, `"`), meaning)
	}
	return rows.String()
}

// fill puts each section between its markers.
func fill(path string, sections map[string]string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the page: %w", err)
	}
	text := string(content)
	for name, section := range sections {
		begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->"
		head, rest, ok1 := strings.Cut(text, begin)
		_, tail, ok2 := strings.Cut(rest, end)
		if !ok1 || !ok2 {
			return errors.New(path + " lacks the markers of section " + name)
		}
		text = head + begin + section + end + tail
	}
	if text == string(content) {
		return nil
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // documentation is for everybody
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}
