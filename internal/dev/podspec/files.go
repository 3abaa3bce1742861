package podspec

import (
	"context"
	"fmt"
	"io/fs"

	corev1 "k8s.io/api/core/v1"

	"selaras.dev/selaras/internal/dev/atomicdir"
)

const (
	defaultFileMode = 0o644
	// defaultTokenSeconds is the API's own default, one hour.
	defaultTokenSeconds = 3600
)

// HasFiles tells whether the volume's content is files made from objects of the
// API (Files), rather than a directory the container writes to.
func HasFiles(volume *corev1.Volume) bool {
	return volume.ConfigMap != nil || volume.Secret != nil || volume.Projected != nil || volume.DownwardAPI != nil
}

// Files is the content of a configMap, secret, projected or downwardAPI volume.
// A missing object or key is an error unless it is optional: then its files are
// absent until it appears.
func Files(ctx context.Context, pod *corev1.Pod, volume *corev1.Volume, node corev1.ResourceList, objects Objects) (map[string]atomicdir.File, error) {
	files := content{files: map[string]atomicdir.File{}, pod: pod, node: node, objects: objects}
	switch {
	case volume.ConfigMap != nil:
		source := volume.ConfigMap
		files.mode = mode(source.DefaultMode)
		return files.files, files.configMap(source.Name, source.Items, source.Optional)
	case volume.Secret != nil:
		source := volume.Secret
		files.mode = mode(source.DefaultMode)
		return files.files, files.secret(source.SecretName, source.Items, source.Optional)
	case volume.DownwardAPI != nil:
		files.mode = mode(volume.DownwardAPI.DefaultMode)
		return files.files, files.downward(volume.DownwardAPI.Items)
	case volume.Projected != nil:
		files.mode = mode(volume.Projected.DefaultMode)
		for _, source := range volume.Projected.Sources {
			if err := files.project(ctx, source); err != nil {
				return nil, err
			}
		}
		return files.files, nil
	}
	return nil, fmt.Errorf("volume %s is not made of files", volume.Name)
}

type content struct {
	files   map[string]atomicdir.File
	mode    fs.FileMode
	pod     *corev1.Pod
	node    corev1.ResourceList
	objects Objects
}

func (c *content) project(ctx context.Context, source corev1.VolumeProjection) error {
	switch {
	case source.ConfigMap != nil:
		return c.configMap(source.ConfigMap.Name, source.ConfigMap.Items, source.ConfigMap.Optional)
	case source.Secret != nil:
		return c.secret(source.Secret.Name, source.Secret.Items, source.Secret.Optional)
	case source.DownwardAPI != nil:
		return c.downward(source.DownwardAPI.Items)
	case source.ServiceAccountToken != nil:
		seconds := int64(defaultTokenSeconds)
		if source.ServiceAccountToken.ExpirationSeconds != nil {
			seconds = *source.ServiceAccountToken.ExpirationSeconds
		}
		token, err := c.objects.Token(ctx, source.ServiceAccountToken.Audience, seconds)
		if err != nil {
			return fmt.Errorf("request a token of service account %s: %w", c.pod.Spec.ServiceAccountName, err)
		}
		c.files[source.ServiceAccountToken.Path] = atomicdir.File{Data: []byte(token), Mode: 0o600}
		return nil
	}
	return fmt.Errorf("a source of a projected volume is not supported")
}

func (c *content) configMap(name string, items []corev1.KeyToPath, optional *bool) error {
	object, err := c.objects.ConfigMap(name)
	if missing(err, optional) {
		return nil
	}
	if err != nil {
		return err
	}
	data := make(map[string][]byte, len(object.Data)+len(object.BinaryData))
	for key, value := range object.Data {
		data[key] = []byte(value)
	}
	for key, value := range object.BinaryData {
		data[key] = value
	}
	return c.pick("ConfigMap", name, data, items, optional)
}

func (c *content) secret(name string, items []corev1.KeyToPath, optional *bool) error {
	object, err := c.objects.Secret(name)
	if missing(err, optional) {
		return nil
	}
	if err != nil {
		return err
	}
	return c.pick("Secret", name, object.Data, items, optional)
}

// pick takes all keys, or the items under their paths.
func (c *content) pick(kind, name string, data map[string][]byte, items []corev1.KeyToPath, optional *bool) error {
	if items == nil {
		for key, value := range data {
			c.files[key] = atomicdir.File{Data: value, Mode: c.mode}
		}
		return nil
	}
	for _, item := range items {
		value, found := data[item.Key]
		if !found {
			if isTrue(optional) {
				continue
			}
			return fmt.Errorf("%s %s/%s has no key %s", kind, c.pod.Namespace, name, item.Key)
		}
		c.add(item.Path, value, item.Mode)
	}
	return nil
}

func (c *content) downward(items []corev1.DownwardAPIVolumeFile) error {
	for _, item := range items {
		var value string
		var err error
		switch {
		case item.FieldRef != nil:
			value, err = Field(c.pod, item.FieldRef.FieldPath)
		case item.ResourceFieldRef != nil:
			value, err = Resource(c.pod, nil, item.ResourceFieldRef, c.node)
		}
		if err != nil {
			return err
		}
		c.add(item.Path, []byte(value), item.Mode)
	}
	return nil
}

func (c *content) add(path string, data []byte, own *int32) {
	file := atomicdir.File{Data: data, Mode: c.mode}
	if own != nil {
		file.Mode = fs.FileMode(*own)
	}
	c.files[path] = file
}

func mode(value *int32) fs.FileMode {
	if value == nil {
		return defaultFileMode
	}
	return fs.FileMode(*value)
}
