package vendure

import (
	"encoding/base64"
	"encoding/json"

	"selaras.dev/selaras/connectors/driver"
)

// encodeCursor writes a position as an opaque cursor.
func encodeCursor(position any) driver.Cursor {
	text, err := json.Marshal(position)
	if err != nil {
		// Positions are structs of numbers, strings and times.
		panic(err)
	}
	return driver.Cursor(base64.RawURLEncoding.EncodeToString(text))
}

// decodeCursor reads a position; the empty cursor leaves it as it is. The
// error is of class Invalid: the cursor is not one of this driver.
func decodeCursor(op string, cursor driver.Cursor, position any) error {
	if cursor == "" {
		return nil
	}
	text, err := base64.RawURLEncoding.DecodeString(string(cursor))
	if err == nil {
		err = json.Unmarshal(text, position)
	}
	if err != nil {
		return &driver.Error{Class: driver.ClassInvalid, Op: op, Reason: "InvalidCursor", Message: "the cursor is not one of this driver; start from the empty one"}
	}
	return nil
}
