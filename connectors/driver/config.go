package driver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// DecodeConfig reads Channel.spec.config into a driver's own struct, strictly:
// a misspelt key is an error, as it is by the schema. No config leaves the
// struct as it is.
func DecodeConfig(text json.RawMessage, config any) error {
	if len(text) == 0 || string(text) == "null" {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(config); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("config: more than one JSON value")
	}
	return nil
}
