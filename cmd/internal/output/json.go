package output

import (
	"encoding/json"
	"fmt"
	"io"
)

// WriteJSON writes what lies in the repository as indented JSON, for people and programs alike.
func WriteJSON(w io.Writer, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	if _, err := fmt.Fprintf(w, "%s\n", CleanJSON(text)); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}
