package main

import (
	"encoding/json"
	"fmt"

	"github.com/packstone/packstone/cmd/internal/jsonschema"
	"github.com/packstone/packstone/cmd/internal/logfile"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
)

// messages are the JSON lines that packstone prints, by message type.
var messages = map[string]any{
	"status":            output.Status{},
	"verbose_status":    output.VerboseStatus{},
	"warning":           output.Warning{},
	"error":             output.Error{},
	"exit_error":        output.ExitError{},
	"version":           versionMessage{},
	"output":            logfile.Line{},
	"config_check":      configCheckMessage{},
	"init":              initMessage{},
	"change":            message.Change{},
	"table_change":      message.TableChange{},
	"access":            message.Access{},
	"platform_plan":     message.PlatformPlan{},
	"stats":             message.Stats{},
	"repository_status": statusMessage{},
	"dangling":          message.Dangling{},
	"fit":               message.Fit{},
	"job_started":       jobMessage{},
	"job_ended":         jobMessage{},
	"page_act":          pageAct{},
	"watch":             watchMessage{},

	"drill_report":      message.Drill{},
	"doctor":            doctorMessage{},
	"repair":            message.Repair{},
	"key_generate":      generateMessage{},
	"key_list":          keyListMessage{},
	"key_recipients":    recipientsMessage{},
	"key_sheet":         sheetMessage{},
	"key_sheet_verify":  sheetMessage{},
	"key_split":         splitMessage{},
	"key_writer_add":    writerAddMessage{},
	"key_writer_bind":   writerBindMessage{},
	"key_writer_revoke": writerRevokeMessage{},
	"key_collector_add": admission{},
	"key_keeper_add":    admission{},
	"key_policy":        keyPolicyMessage{},
	"explain":           message.Explain{},
}

// summaries are the last lines of verbs.
var summaries = map[string]any{
	"backup":          message.Backup{},
	"copy":            message.Copy{},
	"restore":         message.Restore{},
	"platform":        message.Platform{},
	"check":           message.Check{},
	"drill":           message.Drill{},
	"catalog_rebuild": message.Rebuild{},
	"catalog_verify":  message.Verify{},
	"tag":             message.Tag{},
	"forget":          message.Forget{},
	"hold":            message.Hold{},
	"prune":           message.Prune{},
	"keep":            message.Keep{},
	"rewrite":         message.Rewrite{},
	"diff":            message.Diff{},
	"db":              message.Database{},
	"put_back":        message.PutBack{},
	"db_diff":         message.DatabaseDiff{},
}

// lists are the JSON arrays that list verbs print: a row of each.
var lists = map[string]any{
	"key_writers": memberRow{},
	"key_keepers": keeperRow{},
	"deliveries":  deliveryRow{},
	"drills":      message.LastDrill{},
	"query":       output.Record{},
	"snapshots":   message.Snapshot{},
	"ls":          message.Entry{},
	"find":        message.Found{},
	"run":         comingRow{},
	"cache":       message.Cache{},
	"stats":       message.StatsRow{},
}

// printSchema prints one JSON Schema with a definition for each message and list.
func (a *app) printSchema() error {
	text, err := json.MarshalIndent(schemaOfOutput(), "", "  ")
	if err != nil {
		return fmt.Errorf("print the schema: %w", err)
	}
	return a.printText(text)
}

func schemaOfOutput() jsonschema.Schema { return output.SchemaOf(messages, summaries, lists) }
