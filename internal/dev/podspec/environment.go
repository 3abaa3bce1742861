package podspec

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Variable is one environment variable of a container.
type Variable struct {
	Name, Value string
	// Secret is true when the value was taken from a Secret; it is handed to
	// the process unchanged and shown nowhere.
	Secret bool
}

// Environment is a container's environment as a kubelet makes it: base first,
// then envFrom in order, then env in order with $(NAME) expanded from what came
// before. A missing object or key is an error unless it is optional.
func Environment(pod *corev1.Pod, container *corev1.Container, base []Variable, node corev1.ResourceList, objects Objects) ([]Variable, error) {
	list := environment{index: map[string]int{}}
	for _, variable := range base {
		list.set(variable)
	}
	for _, source := range container.EnvFrom {
		if err := list.addAll(source, objects); err != nil {
			return nil, err
		}
	}
	for _, env := range container.Env {
		variable := Variable{Name: env.Name, Value: Expand(env.Value, list.lookup)}
		if env.ValueFrom != nil {
			value, secret, found, err := valueFrom(pod, container, env.ValueFrom, node, objects)
			if err != nil {
				return nil, err
			}
			if !found {
				continue
			}
			variable.Value, variable.Secret = value, secret
		}
		list.set(variable)
	}
	return list.variables, nil
}

type environment struct {
	variables []Variable
	index     map[string]int
}

func (e *environment) set(variable Variable) {
	if at, known := e.index[variable.Name]; known {
		e.variables[at] = variable
		return
	}
	e.index[variable.Name] = len(e.variables)
	e.variables = append(e.variables, variable)
}

func (e *environment) lookup(name string) (string, bool) {
	at, known := e.index[name]
	if !known {
		return "", false
	}
	return e.variables[at].Value, true
}

// Lookup finds a variable's value by name.
func Lookup(variables []Variable) func(name string) (string, bool) {
	return func(name string) (string, bool) {
		for _, variable := range variables {
			if variable.Name == name {
				return variable.Value, true
			}
		}
		return "", false
	}
}

func (e *environment) addAll(source corev1.EnvFromSource, objects Objects) error {
	switch {
	case source.ConfigMapRef != nil:
		object, err := objects.ConfigMap(source.ConfigMapRef.Name)
		if missing(err, source.ConfigMapRef.Optional) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, key := range slices.Sorted(maps.Keys(object.Data)) {
			e.set(Variable{Name: source.Prefix + key, Value: object.Data[key]})
		}
	case source.SecretRef != nil:
		object, err := objects.Secret(source.SecretRef.Name)
		if missing(err, source.SecretRef.Optional) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, key := range slices.Sorted(maps.Keys(object.Data)) {
			e.set(Variable{Name: source.Prefix + key, Value: string(object.Data[key]), Secret: true})
		}
	}
	return nil
}

func valueFrom(pod *corev1.Pod, container *corev1.Container, from *corev1.EnvVarSource, node corev1.ResourceList, objects Objects) (value string, secret, found bool, err error) {
	switch {
	case from.FieldRef != nil:
		value, err = Field(pod, from.FieldRef.FieldPath)
		return value, false, err == nil, err
	case from.ResourceFieldRef != nil:
		value, err = Resource(pod, container, from.ResourceFieldRef, node)
		return value, false, err == nil, err
	case from.ConfigMapKeyRef != nil:
		ref := from.ConfigMapKeyRef
		object, err := objects.ConfigMap(ref.Name)
		if missing(err, ref.Optional) {
			return "", false, false, nil
		}
		if err != nil {
			return "", false, false, err
		}
		value, found = object.Data[ref.Key]
		if !found && !isTrue(ref.Optional) {
			return "", false, false, fmt.Errorf("couldn't find key %s in ConfigMap %s/%s", ref.Key, pod.Namespace, ref.Name)
		}
		return value, false, found, nil
	case from.SecretKeyRef != nil:
		ref := from.SecretKeyRef
		object, err := objects.Secret(ref.Name)
		if missing(err, ref.Optional) {
			return "", false, false, nil
		}
		if err != nil {
			return "", false, false, err
		}
		data, found := object.Data[ref.Key]
		if !found && !isTrue(ref.Optional) {
			return "", false, false, fmt.Errorf("couldn't find key %s in Secret %s/%s", ref.Key, pod.Namespace, ref.Name)
		}
		return string(data), true, found, nil
	}
	return "", false, false, fmt.Errorf("the source of an environment variable of container %s is not supported", container.Name)
}

// missing tells whether an object is absent and may be.
func missing(err error, optional *bool) bool {
	return apierrors.IsNotFound(err) && isTrue(optional)
}

func isTrue(value *bool) bool { return value != nil && *value }

// Expand replaces $(NAME) by the variable's value, as Kubernetes does in
// command, args and env: an unknown name stays as written, $$ is one $.
func Expand(text string, lookup func(name string) (string, bool)) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '$' || i+1 == len(text) {
			out.WriteByte(text[i])
			continue
		}
		switch text[i+1] {
		case '$':
			out.WriteByte('$')
			i++
		case '(':
			end := strings.IndexByte(text[i:], ')')
			if end < 0 {
				out.WriteByte('$')
				continue
			}
			reference := text[i : i+end+1]
			if value, known := lookup(reference[2 : len(reference)-1]); known {
				out.WriteString(value)
			} else {
				out.WriteString(reference)
			}
			i += end
		default:
			out.WriteByte('$')
		}
	}
	return out.String()
}
