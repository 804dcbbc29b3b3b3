//! Scores, limits, and refusals before a query runs.

use gitlab_simulator::Handle;
use serde_json::{Value, json};

use super::queries::{BUSY, BY_IDS, JOB, MINIMAL, OF_GROUP, SCHEDULES, jobs_of};
use super::{START, ask, json_of, send};
use crate::empty;

/// Score and depth that GitLab finds for a query.
async fn cost(gitlab: &Handle, query: &str, variables: Value) -> (i64, usize) {
    ask(gitlab, query, variables).await;
    let cost = gitlab.requests().last().unwrap().cost.unwrap();
    (cost.score, cost.depth)
}

fn errors(answer: &Value) -> Vec<&str> {
    assert_eq!(answer.get("data"), None, "{answer}");
    let errors = answer["errors"].as_array().unwrap();
    errors
        .iter()
        .map(|error| error["message"].as_str().unwrap())
        .collect()
}

fn codes(answer: &Value) -> Vec<&str> {
    let errors = answer["errors"].as_array().unwrap();
    let codes = errors
        .iter()
        .map(|error| error["extensions"]["code"].as_str());
    codes.map(Option::unwrap).collect()
}

#[tokio::test]
async fn scores_and_depths_are_those_of_gitlab() {
    let gitlab = empty().await;
    let list = |rows: usize| json!({ "ids": [], "since": START, "n": rows });
    assert_eq!(cost(&gitlab, MINIMAL, list(20)).await, (30, 5));
    assert_eq!(cost(&gitlab, BY_IDS, list(20)).await, (81, 6));
    assert_eq!(cost(&gitlab, BY_IDS, list(100)).await, (125, 6));
    let group = |rows: usize| json!({ "g": "acme", "since": START, "n": rows });
    assert_eq!(cost(&gitlab, OF_GROUP, group(20)).await, (102, 7));
    assert_eq!(cost(&gitlab, OF_GROUP, group(100)).await, (146, 7));
    let path = || json!({ "path": "acme/shop" });
    for (count, score) in [(1, 57), (2, 112), (3, 167), (4, 222), (5, 277)] {
        let iids: Vec<u64> = (1..=count).collect();
        assert_eq!(cost(&gitlab, &jobs_of(&iids), path()).await, (score, 7));
    }
    let query = format!("{BUSY} {JOB}");
    for (projects, pipelines, score) in [(10, 5, 85), (20, 5, 93), (100, 20, 176)] {
        let sizes = json!({ "since": START, "p": projects, "n": pipelines, "j": 100 });
        assert_eq!(cost(&gitlab, &query, sizes).await, (score, 9));
    }
    assert_eq!(cost(&gitlab, SCHEDULES, path()).await, (40, 5));
}

#[tokio::test]
async fn a_query_tells_its_own_score_and_the_limit() {
    let gitlab = empty().await;
    let variables = json!({ "ids": [], "since": START, "n": 20 });
    let answer = ask(&gitlab, BY_IDS, variables).await;
    let told = &answer["data"]["queryComplexity"];
    assert_eq!(told, &json!({ "score": 81, "limit": 250 }));
}

#[tokio::test]
async fn above_the_limit_there_is_no_data_and_gitlabs_message() {
    let gitlab = empty().await;
    let five = jobs_of(&[1, 2, 3, 4, 5]);
    let answer = ask(&gitlab, &five, json!({ "path": "acme/shop" })).await;
    let message = "Query has complexity of 277, which exceeds max complexity of 250";
    assert_eq!(errors(&answer), [message]);
    gitlab.faults(|faults| faults.graphql.max_score = 29);
    let variables = json!({ "ids": [], "since": START, "n": 20 });
    let answer = ask(&gitlab, MINIMAL, variables).await;
    let message = "Query has complexity of 30, which exceeds max complexity of 29";
    assert_eq!(errors(&answer), [message]);
}

#[tokio::test]
async fn a_batch_is_answered_in_order_and_shares_one_budget() {
    let gitlab = empty().await;
    let member = |query: &str| json!({ "query": query, "variables": { "path": "acme/shop" } });
    let version = json!({ "query": "{ metadata { version } }" });
    let batch = json!([version, member(&jobs_of(&[1]))]);
    let answer = json_of(send(&gitlab, gitlab.token(), &batch).await).await;
    assert_eq!(answer[0]["data"]["metadata"]["version"], "18.4.0");
    assert_eq!(answer[1]["data"]["project"], Value::Null);
    let two = jobs_of(&[1, 2]);
    let batch = json!([member(&two), member(&two), member(&two)]);
    let answer = json_of(send(&gitlab, gitlab.token(), &batch).await).await;
    let message = "Query has complexity of 336, which exceeds max complexity of 250";
    for member in answer.as_array().unwrap() {
        assert_eq!(errors(member), [message]);
    }
}

#[tokio::test]
async fn unknown_fields_and_arguments_are_told_before_and_instead_of_the_score() {
    let gitlab = empty().await;
    gitlab.faults(|faults| faults.graphql.max_score = 1);
    let query =
        "query Q { projects(first: 100, mood: 1) { nodes { id pipelines { nodes { tag } } } } }";
    let answer = ask(&gitlab, query, json!({})).await;
    assert_eq!(codes(&answer), ["argumentNotAccepted", "undefinedField"]);
    assert_eq!(
        answer["errors"][1],
        json!({
            "message": "Field 'tag' doesn't exist on type 'Pipeline'",
            "locations": [{ "line": 1, "column": 74 }],
            "path": ["query Q", "projects", "nodes", "pipelines", "nodes", "tag"],
            "extensions": { "code": "undefinedField", "typeName": "Pipeline", "fieldName": "tag" },
        })
    );
}

#[tokio::test]
async fn an_old_version_does_not_know_what_was_forgotten() {
    let gitlab = empty().await;
    gitlab.faults(|faults| {
        faults.graphql.forget("Project.pipelines(updatedAfter)");
        faults.graphql.forget("CiJob.failureMessage");
    });
    let variables = json!({ "ids": [], "since": START, "n": 20 });
    let answer = ask(&gitlab, MINIMAL, variables).await;
    // GitLab also says that the variable has no use then.
    assert_eq!(codes(&answer), ["argumentNotAccepted", "variableNotUsed"]);
    let extensions = &answer["errors"][0]["extensions"];
    assert_eq!(extensions["argumentName"], "updatedAfter");
    assert_eq!(extensions["name"], "pipelines");
    let answer = ask(&gitlab, &jobs_of(&[1]), json!({ "path": "acme/shop" })).await;
    assert_eq!(codes(&answer), ["undefinedField"]);
}

#[tokio::test]
async fn mistakes_in_a_query_have_gitlabs_codes() {
    let gitlab = empty().await;
    for (query, code) in [
        ("{ project { id } }", "missingRequiredArguments"),
        ("{ projects { nodes } }", "selectionMismatch"),
        ("{ metadata { version { id } } }", "selectionMismatch"),
        (
            "{ projects(first: \"many\") { nodes { id } } }",
            "argumentLiteralsIncompatible",
        ),
        (
            "query($n: String) { projects(first: $n) { nodes { id } } }",
            "variableMismatch",
        ),
        ("query($n: Int) { metadata { version } }", "variableNotUsed"),
        (
            "{ projects(first: $n) { nodes { id } } }",
            "variableNotDefined",
        ),
        ("{ projects { ...P } }", "useAndDefineFragment"),
        (
            "{ projects { ... on Pipeline { id } } }",
            "cannotSpreadFragment",
        ),
        (
            "{ metadata { ...M } } fragment M on Metadata { ...M }",
            "infiniteLoop",
        ),
        (
            "{ a: currentUser { id } a: metadata { version } }",
            "fieldConflict",
        ),
    ] {
        let answer = ask(&gitlab, query, json!({})).await;
        assert_eq!(codes(&answer), [code], "{query}");
    }
    let pipelines = |argument: &str| {
        format!("{{ project(fullPath: \"a\") {{ pipelines({argument}) {{ nodes {{ id }} }} }} }}")
    };
    for argument in [
        "status: \"FAILED\"",
        "status: BROKEN",
        "scope: ALL",
        "updatedAfter: \"soon\"",
    ] {
        let answer = ask(&gitlab, &pipelines(argument), json!({})).await;
        assert_eq!(
            codes(&answer),
            ["argumentLiteralsIncompatible"],
            "{argument}"
        );
    }
}

#[tokio::test]
async fn variables_need_their_type() {
    let gitlab = empty().await;
    for variables in [json!({ "ids": [] }), json!({ "ids": [], "since": "soon" })] {
        let answer = ask(&gitlab, MINIMAL, variables).await;
        let message = "Variable $since of type Time! was provided invalid value";
        assert_eq!(errors(&answer)[0], message);
    }
    let variables = json!({ "ids": [], "since": START, "n": "20" });
    let answer = ask(&gitlab, MINIMAL, variables).await;
    let message = "Variable $n of type Int was provided invalid value";
    assert_eq!(errors(&answer)[0], message);
}

#[tokio::test]
async fn directives_take_fields_out_of_the_answer_and_of_the_score() {
    let gitlab = empty().await;
    let query = "query($on: Boolean!) { metadata { version revision @include(if: $on) }
        currentUser @skip(if: true) { id } queryComplexity { score } }";
    let answer = ask(&gitlab, query, json!({ "on": false })).await;
    let expected =
        json!({ "metadata": { "version": "18.4.0" }, "queryComplexity": { "score": 4 } });
    assert_eq!(answer["data"], expected);
}

#[tokio::test]
async fn a_query_that_is_too_deep_or_within_itself_is_refused() {
    let gitlab = empty().await;
    let nested = |levels: usize| {
        let (open, close) = ("downstream { nodes { ".repeat(levels), "} }".repeat(levels));
        format!("{{ project(fullPath: \"a\") {{ pipeline(iid: 1) {{ {open} id {close} }} }} }}")
    };
    assert_eq!(
        ask(&gitlab, &nested(2), json!({})).await["data"]["project"],
        Value::Null
    );
    let answer = ask(&gitlab, &nested(3), json!({})).await;
    assert!(
        errors(&answer)[0].starts_with("Recursive query - too many of fields"),
        "{answer}"
    );
    let answer = ask(&gitlab, &nested(9), json!({})).await;
    let message = "Query has depth of 21, which exceeds max depth of 20";
    assert!(errors(&answer).contains(&message), "{answer}");
}

#[tokio::test]
async fn a_long_query_is_422_and_fragments_do_not_grow_without_bound() {
    let gitlab = empty().await;
    let long = format!("{{ metadata {{ version }} }} #{}", "x".repeat(10_000));
    let response = send(&gitlab, gitlab.token(), &json!({ "query": long })).await;
    assert_eq!(response.status(), 422);
    let body = json!({ "errors": [{ "message": "Query too large" }] });
    assert_eq!(json_of(response).await, body);

    let doubled = (0..20).map(|n| {
        let next = n + 1;
        format!("fragment F{n} on Metadata {{ ...F{next} ...F{next} }} ")
    });
    let bomb: String = doubled.collect();
    let bomb = format!("{{ metadata {{ ...F0 }} }} {bomb} fragment F20 on Metadata {{ version }}");
    let answer = ask(&gitlab, &bomb, json!({})).await;
    assert_eq!(errors(&answer)[0], "Timeout on validation of query");
}
