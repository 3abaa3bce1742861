package demo

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"

	"selaras.dev/selaras/config"
)

const (
	// namespace is where the samples are applied: kubectl's own default.
	namespace         = "default"
	syncName          = "main-catalog"
	credentialsSuffix = "-credentials"

	keyUsername, keyPassword, keyWebhookSecret = "username", "password", "webhookSecret"
)

// applySamples applies config/samples with the addresses and credentials of
// the shops that run.
func (w *world) applySamples(ctx context.Context) error {
	samples, err := config.Samples()
	if err != nil {
		return err
	}
	manifests, err := w.fillIn(samples)
	if err != nil {
		return err
	}
	return w.cluster.Apply(ctx, manifests)
}

// fillIn puts the shops' addresses and credentials into the samples.
func (w *world) fillIn(samples []byte) ([]byte, error) {
	var out bytes.Buffer
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(samples), 1<<20)
	for {
		object := unstructured.Unstructured{}
		if err := documents.Decode(&object.Object); errors.Is(err, io.EOF) {
			return out.Bytes(), nil
		} else if err != nil {
			return nil, fmt.Errorf("read the samples: %w", err)
		}
		if err := w.fillInOne(&object); err != nil {
			return nil, fmt.Errorf("fill in the sample %s %s: %w", object.GetKind(), object.GetName(), err)
		}
		text, err := sigsyaml.Marshal(object.Object)
		if err != nil {
			return nil, fmt.Errorf("write the sample %s: %w", object.GetName(), err)
		}
		out.WriteString("---\n")
		out.Write(text)
	}
}

func (w *world) fillInOne(object *unstructured.Unstructured) error {
	switch object.GetKind() {
	case "Channel":
		s, err := w.shop(object.GetName())
		if err != nil {
			return err
		}
		if err := unstructured.SetNestedField(object.Object, s.AdminURL(), "spec", "endpoint"); err != nil {
			return err
		}
		return unstructured.SetNestedField(object.Object, s.name+"-connector."+namespace+".svc", "spec", "webhooks", "host")
	case "Secret":
		s, err := w.shop(strings.TrimSuffix(object.GetName(), credentialsSuffix))
		if err != nil {
			return err
		}
		unstructured.RemoveNestedField(object.Object, "stringData")
		data := map[string]any{}
		for key, value := range s.credentials() {
			data[key] = base64.StdEncoding.EncodeToString([]byte(value))
		}
		return unstructured.SetNestedField(object.Object, data, "data")
	}
	return nil
}

// shop is the shop with a name.
func (w *world) shop(name string) (*shop, error) {
	for _, s := range w.shops() {
		if s.name == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("the demo has no shop %q", name)
}

// credentials are the content of the shop's Secret.
func (s *shop) credentials() map[string]string {
	return map[string]string{
		keyUsername: s.Username(), keyPassword: s.Password(), keyWebhookSecret: s.webhookSecret,
	}
}
