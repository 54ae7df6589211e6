package stats

// Task is what a model predicts, hence which metrics it has.
type Task string

const (
	Binary     Task = "binary"     // one of two classes; the score is the probability of the positive one
	Multiclass Task = "multiclass" // one of three or more classes; the scores are a probability for each
	Regression Task = "regression" // a number
)

// Metrics that only multiclass models have; accuracy, log_loss, brier, ece, mcc and balanced_accuracy they have as well.
const (
	PrecisionMacro = "precision_macro" // mean of the classes' precisions
	RecallMacro    = "recall_macro"    // mean of the classes' recalls
	F1Macro        = "f1_macro"        // mean of the classes' F1
	F1Weighted     = "f1_weighted"     // mean of the classes' F1, weighted by the classes' rows
	AUCMacro       = "auc_macro"       // mean of the classes' AUC, each against all others
	Top2Accuracy   = "top2_accuracy"   // share of rows whose class is among the two most probable
	Kappa          = "kappa"           // Cohen's kappa (Cohen, 1960)
)

// Metrics of regression models, in the target's units unless said otherwise.
const (
	RMSE      = "rmse"       // root of the mean squared error
	MAE       = "mae"        // mean absolute error
	R2        = "r2"         // share of the target's variance explained; at most 1, without unit
	MeanError = "mean_error" // mean of prediction minus truth: the bias
)

// Disagreement is the share of rows on which two models predict different classes: the d of ease.ml/ci.
const Disagreement = "disagreement"
