package jsonschema

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

type colour string

func (colour) JSONSchema() Schema { return Schema{"enum": []string{"red", "blue"}} }

type inner struct {
	Text string `json:"text" doc:"Some text."`
}

type outer struct {
	inner
	Count   int            `json:"count"`
	Share   float64        `json:"share,omitempty"`
	Yes     *bool          `json:"yes,omitzero"`
	At      time.Time      `json:"at"`
	Inner   []inner        `json:"inner"`
	ByName  map[string]int `json:"by_name"`
	Colour  colour         `json:"colour"`
	Hidden  int            `json:"-"`
	private int
}

func TestTypesAreDescribedByTheirTags(t *testing.T) {
	want := `{"additionalProperties":false,"properties":{` +
		`"at":{"format":"date-time","type":"string"},` +
		`"by_name":{"additionalProperties":{"type":"integer"},"type":"object"},` +
		`"colour":{"enum":["red","blue"]},` +
		`"count":{"type":"integer"},` +
		`"inner":{"items":{"additionalProperties":false,"properties":{"text":{"description":"Some text.","type":"string"}},"required":["text"],"type":"object"},"type":"array"},` +
		`"share":{"type":"number"},` +
		`"text":{"description":"Some text.","type":"string"},` +
		`"yes":{"type":"boolean"}},` +
		`"required":["text","count","at","inner","by_name","colour"],"type":"object"}`
	got, err := json.Marshal(Of(reflect.TypeOf(outer{private: 1}), "json"))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestATypeWithoutJSONFormIsAMistakeInTheProgram(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a channel was described")
		}
	}()
	Of(reflect.TypeFor[chan int](), "json")
}
