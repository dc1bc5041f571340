package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/packstone/packstone/cmd/internal/jsonschema"
	"github.com/packstone/packstone/cmd/internal/output"
)

// messages are the JSON lines that packstone prints, by message type, and of summaries by verb.
var messages = map[string]any{
	"status":            output.Status{},
	"verbose_status":    output.VerboseStatus{},
	"warning":           output.Warning{},
	"error":             output.Error{},
	"exit_error":        output.ExitError{},
	"version":           versionMessage{},
	"config_check":      configCheckMessage{},
	"init":              initMessage{},
	"change":            changeMessage{},
	"access":            accessMessage{},
	"stats":             statsMessage{},
	"repository_status": statusMessage{},

	"doctor":            doctorMessage{},
	"repair":            repairMessage{},
	"key_generate":      generateMessage{},
	"key_list":          keyListMessage{},
	"key_recipients":    recipientsMessage{},
	"key_writer_add":    writerAddMessage{},
	"key_writer_bind":   writerBindMessage{},
	"key_writer_revoke": writerRevokeMessage{},
	"key_collector_add": collectorAddMessage{},
	"key_policy":        keyPolicyMessage{},
	"explain":           explainMessage{},

	summaryPrefix + "backup":          backupSummary{},
	summaryPrefix + "restore":         restoreSummary{},
	summaryPrefix + "check":           checkSummary{},
	summaryPrefix + "catalog_rebuild": rebuildSummary{},
	summaryPrefix + "catalog_verify":  verifySummary{},
	summaryPrefix + "tag":             tagSummary{},
	summaryPrefix + "forget":          forgetSummary{},
	summaryPrefix + "hold":            holdSummary{},
	summaryPrefix + "prune":           pruneSummary{},
	summaryPrefix + "diff":            diffSummary{},
	summaryPrefix + "db":              dbSummary{},
}

// lists are the JSON arrays that list verbs print: a row of each.
var lists = map[string]any{
	"key_writers": memberRow{},
	"query":       output.Record{},
	"snapshots":   snapshotRow{},
	"ls":          entryRow{},
	"find":        foundRow{},
}

// printSchema prints one JSON Schema with a definition for each message and list.
func (a *app) printSchema() error {
	text, err := json.MarshalIndent(schemaOfOutput(), "", "  ")
	if err != nil {
		return fmt.Errorf("print the schema: %w", err)
	}
	_, err = fmt.Fprintf(a.stdout, "%s\n", text)
	return err
}

func schemaOfOutput() jsonschema.Schema {
	definitions, any := jsonschema.Schema{}, []jsonschema.Schema{}
	for _, name := range slices.Sorted(maps.Keys(messages)) {
		definitions[name] = schemaOfMessage(name, messages[name])
		any = append(any, jsonschema.Schema{"$ref": "#/$defs/" + name})
	}
	for _, name := range slices.Sorted(maps.Keys(lists)) {
		rows := jsonschema.Of(reflect.SliceOf(reflect.TypeOf(lists[name])), "json")
		definitions["list_"+name] = rows
		any = append(any, jsonschema.Schema{"$ref": "#/$defs/list_" + name})
	}
	return jsonschema.Schema{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"title":   output.Schema,
		"$defs":   definitions,
		"anyOf":   any,
	}
}

// schemaOfMessage adds to the fields of a message those that every message has. A summary is named summary_VERB here and its
// message type is summary.
func schemaOfMessage(name string, message any) jsonschema.Schema {
	s := jsonschema.Of(reflect.TypeOf(message), "json")
	properties := s["properties"].(jsonschema.Schema)
	properties["schema"] = jsonschema.Schema{"const": output.Schema}
	properties["message_type"] = jsonschema.Schema{"const": messageType(name)}
	required, _ := s["required"].([]string)
	s["required"] = append([]string{"schema", "message_type"}, required...)
	return s
}

func messageType(name string) string {
	if len(name) > len(summaryPrefix) && name[:len(summaryPrefix)] == summaryPrefix {
		return "summary"
	}
	return name
}

const summaryPrefix = "summary_"
