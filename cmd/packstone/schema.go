package main

import (
	"encoding/json"
	"fmt"

	"github.com/packstone/packstone/cmd/internal/jsonschema"
	"github.com/packstone/packstone/cmd/internal/logfile"
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
	"change":            changeMessage{},
	"table_change":      dbTableChange{},
	"access":            accessMessage{},
	"platform_plan":     platformPlan{},
	"stats":             statsMessage{},
	"repository_status": statusMessage{},
	"dangling":          danglingMessage{},
	"fit":               fitMessage{},
	"job_started":       jobMessage{},
	"job_ended":         jobMessage{},
	"page_act":          pageAct{},
	"watch":             watchMessage{},

	"drill_report":      drillMessage{},
	"doctor":            doctorMessage{},
	"repair":            repairMessage{},
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
	"explain":           explainMessage{},
}

// summaries are the last lines of verbs.
var summaries = map[string]any{
	"backup":          backupSummary{},
	"copy":            copySummary{},
	"restore":         restoreSummary{},
	"platform":        platformReport{},
	"check":           checkSummary{},
	"drill":           drillMessage{},
	"catalog_rebuild": rebuildSummary{},
	"catalog_verify":  verifySummary{},
	"tag":             tagSummary{},
	"forget":          forgetSummary{},
	"hold":            holdSummary{},
	"prune":           pruneSummary{},
	"keep":            keepSummary{},
	"rewrite":         rewriteSummary{},
	"diff":            diffSummary{},
	"db":              dbSummary{},
	"put_back":        putBackSummary{},
	"db_diff":         dbDiffSummary{},
}

// lists are the JSON arrays that list verbs print: a row of each.
var lists = map[string]any{
	"key_writers": memberRow{},
	"key_keepers": keeperRow{},
	"deliveries":  deliveryRow{},
	"drills":      drillRow{},
	"query":       output.Record{},
	"snapshots":   snapshotRow{},
	"ls":          entryRow{},
	"find":        foundRow{},
	"run":         comingRow{},
	"cache":       cacheRow{},
	"stats":       statsRow{},
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
