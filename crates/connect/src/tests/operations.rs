//! Executing, coming back, releasing, interrupting.

use super::*;

#[tokio::test]
async fn a_query_answers_in_the_order_clients_rely_on() -> Outcome {
    let mut f = start(ServeOptions::default()).await?;
    let (responses, error) = f.run(f.request(range(2, 1))).await;
    assert!(error.is_none());
    assert_eq!(shape(&responses), ["schema", "batch", "batch", "metrics", "observed"]);
    let (responses, _) = f.run(f.request(range(0, 1))).await;
    assert_eq!(shape(&responses), ["schema", "batch", "metrics", "observed"], "no rows, yet one batch");
    let id = Uuid::new_v4().to_string();
    let (responses, _) = f.run(f.reattachable(range(1, 1), &id)).await;
    assert_eq!(shape(&responses), ["schema", "batch", "metrics", "observed", "complete"]);
    assert!(responses.iter().all(|r| r.operation_id == id && r.session_id == f.session));
    let server_side = &responses[0].server_side_session_id;
    assert!(responses.iter().all(|r| r.server_side_session_id == *server_side && !r.response_id.is_empty()));
    Ok(())
}

#[tokio::test]
async fn sql_is_lazy_for_queries_and_eager_for_commands() -> Outcome {
    let mut f = start(ServeOptions::default()).await?;
    for (text, echoed) in [("select", true), ("show tables", false)] {
        let sql = pb::Sql { query: text.into(), ..Default::default() };
        let input = pb::Relation {
            common: Some(pb::RelationCommon { plan_id: Some(1), ..Default::default() }),
            rel_type: Some(RelType::Sql(sql)),
        };
        let command = pb::Command {
            command_type: Some(pb::command::CommandType::SqlCommand(pb::SqlCommand {
                input: Some(input.clone()),
                ..Default::default()
            })),
        };
        let plan = pb::Plan { op_type: Some(pb::plan::OpType::Command(command)) };
        let request = pb::ExecutePlanRequest { plan: Some(plan), ..f.request(range(0, 1)) };
        let (responses, error) = f.run(request).await;
        assert!(error.is_none(), "{error:?}");
        let Some(pb::execute_plan_response::ResponseType::SqlCommandResult(result)) = &responses[0].response_type
        else {
            return Err("no result of SQL".into());
        };
        assert_eq!(result.relation.as_ref() == Some(&input), echoed);
        assert_eq!(shape(&responses).len(), if echoed { 1 } else { 2 });
    }
    Ok(())
}

#[tokio::test]
async fn a_client_can_come_back_until_it_releases() -> Outcome {
    let mut f = start(ServeOptions::default()).await?;
    let id = Uuid::new_v4().to_string();
    let (all, _) = f.run(f.reattachable(range(3, 1), &id)).await;
    let (again, error) = f.reattach(&id, None).await;
    assert!(error.is_none());
    assert_eq!(again, all, "from the start");
    let (rest, _) = f.reattach(&id, Some(&all[1].response_id)).await;
    assert_eq!(rest, all[2..]);
    let (_, error) = f.reattach(&id, Some(&Uuid::new_v4().to_string())).await;
    assert_eq!(condition(error.as_ref()), "INVALID_CURSOR.POSITION_NOT_FOUND");

    let release = |release| pb::ReleaseExecuteRequest {
        session_id: f.session.clone(),
        operation_id: id.clone(),
        release: Some(release),
        ..Default::default()
    };
    use pb::release_execute_request::{Release, ReleaseAll, ReleaseUntil};
    let until = release(Release::ReleaseUntil(ReleaseUntil { response_id: all[0].response_id.clone() }));
    let everything = release(Release::ReleaseAll(ReleaseAll {}));
    assert_eq!(f.client.release_execute(until).await?.into_inner().operation_id, Some(id.clone()));
    let (_, error) = f.reattach(&id, None).await;
    assert_eq!(condition(error.as_ref()), "INVALID_CURSOR.POSITION_NOT_AVAILABLE");
    assert_eq!(f.client.release_execute(everything.clone()).await?.into_inner().operation_id, Some(id.clone()));
    assert_eq!(f.client.release_execute(everything).await?.into_inner().operation_id, None);
    let (_, error) = f.reattach(&id, None).await;
    assert_eq!(condition(error.as_ref()), "INVALID_HANDLE.OPERATION_NOT_FOUND");
    let (_, error) = f.run(f.reattachable(range(1, 1), &id)).await;
    assert_eq!(condition(error.as_ref()), "INVALID_HANDLE.OPERATION_ABANDONED");
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_reattached_is_gone() -> Outcome {
    let mut f = start(ServeOptions::default()).await?;
    let id = Uuid::new_v4().to_string();
    let request = pb::ExecutePlanRequest { operation_id: Some(id.clone()), ..f.request(range(1, 1)) };
    f.run(request).await;
    let (_, error) = f.reattach(&id, None).await;
    assert_eq!(condition(error.as_ref()), "INVALID_HANDLE.OPERATION_NOT_FOUND");
    Ok(())
}

#[tokio::test]
async fn a_second_reader_takes_over() -> Outcome {
    let mut f = start(ServeOptions::default()).await?;
    let id = Uuid::new_v4().to_string();
    let mut first = f.client.execute_plan(f.reattachable(range(1, 7), &id)).await?.into_inner();
    assert_eq!(shape(&[first.next().await.ok_or("no schema")??]), ["schema"]);
    let again =
        pb::ReattachExecuteRequest { session_id: f.session.clone(), operation_id: id.clone(), ..Default::default() };
    let mut second = f.client.reattach_execute(again).await?.into_inner();
    let (_, error) = drain(first).await;
    assert!(error.is_some_and(|e| e.message().contains("INVALID_CURSOR.DISCONNECTED")));
    assert_eq!(shape(&[second.next().await.ok_or("no schema")??]), ["schema"]);

    // The same request once more attaches, another under the same id does not.
    let mut third = f.client.execute_plan(f.reattachable(range(1, 7), &id)).await?.into_inner();
    assert_eq!(shape(&[third.next().await.ok_or("no schema")??]), ["schema"]);
    let (_, error) = f.run(f.reattachable(range(1, 8), &id)).await;
    assert_eq!(condition(error.as_ref()), "INVALID_HANDLE.OPERATION_ALREADY_EXISTS");
    Ok(())
}

#[tokio::test]
async fn an_interrupt_ends_what_it_names() -> Outcome {
    use pb::get_status_response::operation_status::OperationState;
    let mut f = start(ServeOptions::default()).await?;
    let id = Uuid::new_v4().to_string();
    let request = pb::ExecutePlanRequest { tags: vec!["tg".into()], ..f.reattachable(range(1, 7), &id) };
    let stream = f.client.execute_plan(request).await?.into_inner();
    let interrupt = |tag: &str| pb::InterruptRequest {
        session_id: f.session.clone(),
        interrupt_type: pb::interrupt_request::InterruptType::Tag as i32,
        interrupt: Some(pb::interrupt_request::Interrupt::OperationTag(tag.into())),
        ..Default::default()
    };
    let (other, mine) = (interrupt("other"), interrupt("tg"));
    assert!(f.client.interrupt(other).await?.into_inner().interrupted_ids.is_empty());
    assert_eq!(f.client.interrupt(mine.clone()).await?.into_inner().interrupted_ids, std::slice::from_ref(&id));
    let (_, error) = drain(stream).await;
    assert_eq!(condition(error.as_ref()), "OPERATION_CANCELED");
    assert!(f.client.interrupt(mine).await?.into_inner().interrupted_ids.is_empty(), "it has ended");

    let asked = pb::get_status_request::OperationStatusRequest {
        operation_ids: vec![id, Uuid::new_v4().to_string()],
        extensions: Vec::new(),
    };
    let status =
        pb::GetStatusRequest { session_id: f.session.clone(), operation_status: Some(asked), ..Default::default() };
    let states: Vec<_> =
        f.client.get_status(status).await?.into_inner().operation_statuses.iter().map(|s| s.state()).collect();
    assert_eq!(states, [OperationState::Cancelled, OperationState::Unknown]);
    Ok(())
}

#[tokio::test]
async fn a_client_that_leaves_stops_its_query() -> Outcome {
    use pb::get_status_response::OperationStatus;
    use pb::get_status_response::operation_status::OperationState;

    let mut f = start(ServeOptions::default()).await?;
    let stream = f.client.execute_plan(f.request(range(1, 7))).await?.into_inner();
    drop(stream);
    let all = pb::GetStatusRequest {
        session_id: f.session.clone(),
        operation_status: Some(Default::default()),
        ..Default::default()
    };
    for _ in 0..100 {
        let statuses = f.client.get_status(all.clone()).await?.into_inner().operation_statuses;
        let cancelled = |s: &OperationStatus| s.state() == OperationState::Cancelled;
        if !statuses.is_empty() && statuses.iter().all(cancelled) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err("the query still runs".into())
}

#[tokio::test]
async fn bad_ids_and_tags_are_refused() -> Outcome {
    let mut f = start(ServeOptions::default()).await?;
    let with_id = pb::ExecutePlanRequest { operation_id: Some("abc".into()), ..f.request(range(1, 1)) };
    let (_, error) = f.run(with_id).await;
    assert_eq!(condition(error.as_ref()), "INVALID_HANDLE.FORMAT");
    for tag in ["", "a,b"] {
        let tagged = pb::ExecutePlanRequest { tags: vec![tag.into()], ..f.request(range(1, 1)) };
        let (_, error) = f.run(tagged).await;
        assert_eq!(error.map(|e| info(&e).reason).as_deref(), Some("java.lang.IllegalArgumentException"));
    }
    Ok(())
}

#[tokio::test]
async fn details_of_an_error_are_told_once() -> Outcome {
    let mut f = start(ServeOptions::default()).await?;
    let sql = pb::Sql { query: "TABLE_OR_VIEW_NOT_FOUND".into(), ..Default::default() };
    let (_, error) = f.run(f.request(RelType::Sql(sql))).await;
    let error = error.ok_or("no error")?;
    assert_eq!(condition(Some(&error)), "TABLE_OR_VIEW_NOT_FOUND");
    let error_id = info(&error).metadata.get("errorId").cloned().ok_or("no id")?;
    let request = pb::FetchErrorDetailsRequest { session_id: f.session.clone(), error_id, ..Default::default() };
    let details = f.client.fetch_error_details(request.clone()).await?.into_inner();
    assert_eq!(details.root_error_idx, Some(0));
    let throwable = details.errors[0].spark_throwable.clone().unwrap_or_default();
    assert_eq!(throwable.error_class.as_deref(), Some("TABLE_OR_VIEW_NOT_FOUND"));
    assert_eq!(throwable.sql_state.as_deref(), Some("42P01"));
    assert_eq!(f.client.fetch_error_details(request).await?.into_inner(), pb::FetchErrorDetailsResponse::default());
    Ok(())
}
