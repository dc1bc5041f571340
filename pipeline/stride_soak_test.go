//go:build soak

package pipeline_test

import (
	"cmp"
	"os"
	"strconv"
	"testing"
)

// stride is SOAK_STRIDE, or 1: of what a soak tries all, it tries one in so many.
var stride = func() int {
	text := cmp.Or(os.Getenv("SOAK_STRIDE"), "1")
	stride, err := strconv.Atoi(text)
	if err != nil || stride < 1 {
		panic("SOAK_STRIDE=" + text + " is not a number from 1 on")
	}
	return stride
}()

// TestSoakAFaultAtEveryCall runs what tries some calls otherwise.
func TestSoakAFaultAtEveryCall(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"ACollectionGoesOnAfterAnyFault":                TestACollectionGoesOnAfterAnyFault,
		"ABackupIsWholeWhereverACollectionRuns":         TestABackupIsWholeWhereverACollectionRuns,
		"ACollectionLeavesBackupsAloneThatRunMeanwhile": TestACollectionLeavesBackupsAloneThatRunMeanwhile,
		"WhatIsBroughtBackDuringACollectionIsWhole":     TestWhatIsBroughtBackDuringACollectionIsWhole,
		"TwoCollectorsDoNotHarmEachOther":               TestTwoCollectorsDoNotHarmEachOther,
		"ACopyAfterOneLostCallFindsEverythingWell":      TestACopyAfterOneLostCallFindsEverythingWell,
		"ACopyOfARepositoryThatFailsOnceIsWholeOrNone":  TestACopyOfARepositoryThatFailsOnceIsWholeOrNone,
		"ABackupAfterOneLostCallFindsEverythingWell":    TestABackupAfterOneLostCallFindsEverythingWell,
		"ABackupAfterOneLostAnswerFindsEverythingWell":  TestABackupAfterOneLostAnswerFindsEverythingWell,
		"ABackupAfterAKillResumesWithTheSameCache":      TestABackupAfterAKillResumesWithTheSameCache,
		"ABackupAfterAKillResumesWithoutItsCache":       TestABackupAfterAKillResumesWithoutItsCache,
		"ABackupIsWholeWhereverPacksAreCopied":          TestABackupIsWholeWhereverPacksAreCopied,
		"CopyingGoesOnAfterAnyFault":                    TestCopyingGoesOnAfterAnyFault,
		"RewritingGoesOnAfterAnyFault":                  TestRewritingGoesOnAfterAnyFault,
		"ASnapshotIsMadeAnewWhereverACollectionRuns":    TestASnapshotIsMadeAnewWhereverACollectionRuns,
		"ARollUpGoesOnAfterAnyFault":                    TestARollUpGoesOnAfterAnyFault,
		"ABackupIsWholeWhereverRecordsAreRolledUp":      TestABackupIsWholeWhereverRecordsAreRolledUp,
		"AnUndeleteCountsWhereverRecordsAreRolledUp":    TestAnUndeleteCountsWhereverRecordsAreRolledUp,
	} {
		t.Run(name, test)
	}
}
