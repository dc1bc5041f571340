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
	"version":           message.Version{},
	"output":            logfile.Line{},
	"config_check":      message.ConfigCheck{},
	"init":              message.Founded{},
	"change":            message.Change{},
	"table_change":      message.TableChange{},
	"access":            message.Access{},
	"platform_plan":     message.PlatformPlan{},
	"stats":             message.Stats{},
	"repository_status": message.Status{},
	"dangling":          message.Dangling{},
	"fit":               message.Fit{},
	"job_started":       message.Job{},
	"job_ended":         message.Job{},
	"page_act":          message.PageAct{},
	"watch":             message.Watch{},

	"drill_report":         message.Drill{},
	"doctor":               message.Doctor{},
	"repair":               message.Repair{},
	"relist":               message.Relist{},
	"key_generate":         message.Identity{},
	"key_list":             message.KeyList{},
	"key_recipients":       message.Recipients{},
	"key_sheet":            message.Sheet{},
	"key_sheet_verify":     message.Sheet{},
	"key_split":            message.Split{},
	"key_writer_add":       message.WriterAdded{},
	"key_writer_bind":      message.WriterBound{},
	"key_writer_revoke":    message.Revoked{},
	"key_collector_add":    message.Admission{},
	"key_collector_revoke": message.Revoked{},
	"key_keeper_add":       message.Admission{},
	"key_policy":           message.KeyPolicy{},
	"key_rotate":           message.Rotation{},
	"catalog_date":         message.CatalogDate{},
	"explain":              message.Explain{},
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
	"key_rotate":      message.Reencryption{}, // with --reencrypt
}

// lists are the JSON arrays that list verbs print: a row of each.
var lists = map[string]any{
	"key_writers":    message.Member{},
	"key_collectors": message.Member{},
	"key_keepers":    message.Keeper{},
	"deliveries":     message.Delivery{},
	"drills":         message.LastDrill{},
	"query":          output.Record{},
	"snapshots":      message.Snapshot{},
	"ls":             message.Entry{},
	"find":           message.Found{},
	"run":            message.ComingJob{},
	"cache":          message.Cache{},
	"stats":          message.StatsRow{},
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
