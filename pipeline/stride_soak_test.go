//go:build soak

package pipeline_test

import "testing"

const stride = 1

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
