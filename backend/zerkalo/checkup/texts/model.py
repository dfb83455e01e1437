"""The sentences of a check-up by a problem's code: what is wrong, and what mends it."""

from zerkalo.kit.language import Language

TEXTS: dict[str, dict[Language, tuple[str, str]]] = {
    "schema_outdated": {
        "ru": ("Таблицы базы данных устарели.", "Запустите: zerkalo migrate"),
        "en": ("The database's tables are out of date.", "Run: zerkalo migrate"),
    },
    "schema_missing": {
        "ru": (
            "Таблиц Zerkalo в этой базе данных ещё нет. Таблицы других программ не изменятся.",
            "Запустите: zerkalo migrate",
        ),
        "en": (
            "Zerkalo's tables are not in this database yet. Tables of other programs won't change.",
            "Run: zerkalo migrate",
        ),
    },
    "codes_short": {
        "ru": (
            (
                "Коды короче 6 знаков: {count}. Опечатка в таком коде легко укажет на другого человека: он увидит чужой визит"
                " и получит за него баллы."
            ),
            "Коды действуют, новые Zerkalo делает из 8 знаков. Спорные записи смотрите на /admin/unmatched?choose=1",
        ),
        "en": (
            (
                "Codes of fewer than 6 characters: {count}. A slip in one easily names another person, who then sees the visit"
                " and gets its points."
            ),
            "They work; new ones of Zerkalo's have 8 characters. Doubtful bookings are listed at /admin/unmatched?choose=1",
        ),
    },
    "yclients_disabled": {
        "ru": ("Синхронизация выключена.", "Задайте в .env: YCLIENTS_ENABLED=True"),
        "en": ("The sync is off.", "Set in .env: YCLIENTS_ENABLED=True"),
    },
    "tokens_missing": {
        "ru": ("Нет токенов YCLIENTS.", "Задайте в .env: YCLIENTS_PARTNER_TOKEN и YCLIENTS_USER_TOKEN"),
        "en": (
            "YCLIENTS's tokens are missing.",
            "Set in .env: YCLIENTS_PARTNER_TOKEN and YCLIENTS_USER_TOKEN",
        ),
    },
    "secret_missing": {
        "ru": (
            "Вебхук принимает вызовы от кого угодно: каждый проверяется запросом к YCLIENTS.",
            "Задайте в .env YCLIENTS_WEBHOOK_SECRET и укажите в YCLIENTS адрес {url}",
        ),
        "en": (
            "The webhook takes calls from anybody: each is checked with YCLIENTS.",
            "Set YCLIENTS_WEBHOOK_SECRET in .env and give YCLIENTS the address {url}",
        ),
    },
    "webhook_never": {
        "ru": (
            "Ни одного вебхука ещё не было.",
            "В YCLIENTS: Настройки → Интеграции → Webhooks → Добавить URL: {url}",
        ),
        "en": (
            "No webhook has come yet.",
            "In YCLIENTS: Settings → Integrations → Webhooks → Add URL: {url}",
        ),
    },
    "yclients_refuses": {
        "ru": (
            "YCLIENTS отказывает филиалу {company}: {reason}",
            "Проверьте YCLIENTS_USER_TOKEN, права пользователя и лицензию филиала, затем: zerkalo sync --company {company}",
        ),
        "en": (
            "YCLIENTS refuses company {company}: {reason}",
            "Check YCLIENTS_USER_TOKEN, the user's rights and the branch's licence, then: zerkalo sync --company {company}",
        ),
    },
    "yclients_silent": {
        "ru": (
            "YCLIENTS не отвечает для филиала {company}: {reason}",
            "Проверьте сеть и YCLIENTS_API_URL, затем: zerkalo check",
        ),
        "en": (
            "YCLIENTS does not answer for company {company}: {reason}",
            "Check the network and YCLIENTS_API_URL, then: zerkalo check",
        ),
    },
    "company_unknown": {
        "ru": (
            "YCLIENTS не знает филиала {company}: {reason}",
            "Проверьте YCLIENTS_COMPANY_ID, затем: zerkalo check",
        ),
        "en": (
            "YCLIENTS does not know company {company}: {reason}",
            "Check YCLIENTS_COMPANY_ID, then: zerkalo check",
        ),
    },
    "sync_failed": {
        "ru": (
            "Последняя синхронизация филиала {company} не удалась: {reason}",
            "Запустите: zerkalo sync --company {company}",
        ),
        "en": (
            "The last sync of company {company} failed: {reason}",
            "Run: zerkalo sync --company {company}",
        ),
    },
    "sync_late": {
        "ru": (
            "Филиал {company} давно не синхронизировался.",
            "Проверьте, что работает zerkalo serve или zerkalo worker; вручную: zerkalo sync --company {company}",
        ),
        "en": (
            "Company {company} has not been synced for long.",
            "See that zerkalo serve or zerkalo worker runs; by hand: zerkalo sync --company {company}",
        ),
    },
    "worker_silent": {
        "ru": (
            "Фоновый процесс молчит.",
            "Запустите: zerkalo serve (со своей базой данных ещё и zerkalo worker)",
        ),
        "en": ("The worker is silent.", "Run: zerkalo serve (with your own database zerkalo worker as well)"),
    },
    "quarantine": {
        "ru": (
            "Не поняты и отложены события: {count}.",
            "Посмотрите причины на /admin, затем: zerkalo replay --quarantined",
        ),
        "en": (
            "Events that could not be understood: {count}.",
            "See why on /admin, then: zerkalo replay --quarantined",
        ),
    },
    "own_faults": {
        "ru": (
            "Ошибка в самом Zerkalo: отложено событий и записей {count}.",
            "Обновите Zerkalo и сообщите разработчикам причину с /admin/quarantine, затем: zerkalo replay --quarantined",
        ),
        "en": (
            "A fault of Zerkalo's own: {count} events and records set aside.",
            "Update Zerkalo and report the reason on /admin/quarantine, then: zerkalo replay --quarantined",
        ),
    },
    "absent_waiting": {
        "ru": (
            "YCLIENTS не знает сразу многих записей филиала {company}: {count}. Они пока не отменены.",
            "Верните права пользователю YCLIENTS_USER_TOKEN; если записи и правда удалены: zerkalo sync --accept-absent",
        ),
        "en": (
            "YCLIENTS does not know many bookings of company {company} at once: {count}. They are not cancelled yet.",
            "Give the user of YCLIENTS_USER_TOKEN its rights back; if they are gone indeed: zerkalo sync --accept-absent",
        ),
    },
    "records_refused": {
        "ru": (
            "YCLIENTS не показывает отдельные записи филиала {company}: {count}.",
            "Проверьте права пользователя YCLIENTS_USER_TOKEN на эти записи, затем: zerkalo sync --company {company}",
        ),
        "en": (
            "YCLIENTS does not show single records of company {company}: {count}.",
            "Check the rights of YCLIENTS_USER_TOKEN's user to them, then: zerkalo sync --company {company}",
        ),
    },
    "zone_data_older": {
        "ru": (
            "Часовые пояса на этой машине ({version}) старше тех, по которым прочитан филиал {company} ({newer}): {zone}.",
            "Обновите пакет tzdata системы и перезапустите Zerkalo",
        ),
        "en": (
            "This machine's zone data ({version}) are older than those company {company} was read by ({newer}): {zone}.",
            "Update the system's package tzdata and restart Zerkalo",
        ),
    },
    "zone_data_old": {
        "ru": (
            "Данные о часовых поясах на этой машине ({version}) устарели: для {zone} в {newer} уже другие правила.",
            "Обновите пакет tzdata системы и перезапустите Zerkalo",
        ),
        "en": (
            "This machine's time zone data ({version}) are out of date: {newer} has other rules for {zone}.",
            "Update the system's package tzdata and restart Zerkalo",
        ),
    },
    "postgres_old": {
        "ru": (
            "PostgreSQL {version} устарел: в {newest} исправлены ошибки.",
            "Обновите пакет postgresql-{major} и перезапустите PostgreSQL",
        ),
        "en": (
            "PostgreSQL {version} is out of date: {newest} mends faults.",
            "Update the package postgresql-{major} and restart PostgreSQL",
        ),
    },
    "postgres_old_embedded": {
        "ru": (
            "Встроенный PostgreSQL {version} устарел: в {newest} исправлены ошибки.",
            "Обновите Zerkalo; сначала zerkalo backup salon.dump",
        ),
        "en": (
            "The embedded PostgreSQL {version} is out of date: {newest} mends faults.",
            "Update Zerkalo; first zerkalo backup salon.dump",
        ),
    },
    "database_full": {
        "ru": (
            "На диске базы данных кончилось место: она ничего не записывает.",
            "Освободите место на диске PostgreSQL (df -h); пропущенное подберёт zerkalo sync",
        ),
        "en": (
            "The disk of the database is full: nothing is written.",
            "Free some space on PostgreSQL's disk (df -h); zerkalo sync then catches up",
        ),
    },
    "database_read_only": {
        "ru": (
            "База данных открыта только для чтения.",
            "Укажите в DATABASE_URL главный сервер, а не реплику; бывает и так, что у хостинга кончилось место",
        ),
        "en": (
            "The database is read-only.",
            "Name the primary in DATABASE_URL, not a standby; some hosts do this when the disk is full",
        ),
    },
    "disk_full": {
        "ru": (
            "На диске с {folder} осталось {free} МиБ.",
            "Освободите место или перенесите DATA_DIR на диск побольше",
        ),
        "en": (
            "The disk of {folder} has {free} MiB left.",
            "Free some space, or move DATA_DIR to a larger disk",
        ),
    },
    "file_open": {
        "ru": (
            "Файл с секретами {path} могут прочитать другие пользователи машины (права {mode}).",
            "Запустите: chmod 600 {path}",
        ),
        "en": (
            "Other users of the machine can read {path}, which holds secrets (mode {mode}).",
            "Run: chmod 600 {path}",
        ),
    },
    "erased_back": {
        "ru": (
            "Стирания из журнала {path}, которых нет в базе: {count}. Стёртые люди вернулись из резервной копии.",
            "Запустите восстановление ещё раз: zerkalo restore ФАЙЛ --force. Если журнал от другой базы, сначала уберите его",
        ),
        "en": (
            "Erasures in the journal {path} that the database lacks: {count}. Erased people are back from a backup.",
            "Restore once more: zerkalo restore FILE --force. If the journal is another database's, move it away first",
        ),
    },
    "clock_database": {
        "ru": (
            "Часы этой машины и базы данных расходятся: {seconds} с.",
            "Включите точное время на обеих машинах: timedatectl set-ntp true",
        ),
        "en": (
            "The clocks of this machine and of the database differ: {seconds} s.",
            "Have both set by the network: timedatectl set-ntp true",
        ),
    },
    "clock_yclients": {
        "ru": (
            "Часы этой машины и {host} расходятся: {seconds} с.",
            "Включите точное время: timedatectl set-ntp true",
        ),
        "en": (
            "The clocks of this machine and of {host} differ: {seconds} s.",
            "Have the clock set by the network: timedatectl set-ntp true",
        ),
    },
    "yclients_unknown_host": {
        "ru": (
            "Имя {host} не находится: {reason}",
            "Проверьте DNS этой машины и YCLIENTS_API_URL: getent hosts {host}",
        ),
        "en": (
            "The name {host} is not found: {reason}",
            "Check this machine's DNS and YCLIENTS_API_URL: getent hosts {host}",
        ),
    },
    "yclients_unreachable": {
        "ru": (
            "Нет соединения с {host}: {reason}",
            "Проверьте сеть и файрвол этой машины: curl -I https://{host}",
        ),
        "en": (
            "No connection to {host}: {reason}",
            "Check this machine's network and firewall: curl -I https://{host}",
        ),
    },
    "yclients_untrusted": {
        "ru": (
            "Сертификату {host} нет доверия: {reason}",
            "Обновите пакет ca-certificates; если соединение проверяет прокси, задайте YCLIENTS_CA_FILE",
        ),
        "en": (
            "The certificate of {host} is not trusted: {reason}",
            "Update the package ca-certificates; behind a proxy that reads along, set YCLIENTS_CA_FILE",
        ),
    },
    "yclients_other_domain": {
        "ru": (
            "{host} недоступен ({reason}), а {other} отвечает.",
            "Задайте в .env: YCLIENTS_API_URL=https://{other}/api/v1",
        ),
        "en": (
            "{host} can't be reached ({reason}), but {other} answers.",
            "Set in .env: YCLIENTS_API_URL=https://{other}/api/v1",
        ),
    },
    "messages_failing": {
        "ru": ("Не отправляются сообщения: {count}.", "Проверьте SMTP_URL и SMS_URL в .env"),
        "en": ("Messages that can't be sent: {count}.", "Check SMTP_URL and SMS_URL in .env"),
    },
    "balances_refused": {
        "ru": (
            "YCLIENTS не даёт записать баланс в карточки клиентов: {count}.",
            "Дайте пользователю YCLIENTS_USER_TOKEN право редактировать клиентов; затем балансы запишутся сами, в течение часа",
        ),
        "en": (
            "YCLIENTS does not let the balance be written to cards of clients: {count}.",
            "Give YCLIENTS_USER_TOKEN's user the right to edit clients; the balances are then written by themselves, within an hour",
        ),
    },
    "task_failing": {
        "ru": (
            "Фоновая задача {task} не удаётся, раз подряд: {count} ({error}).",
            "Перезапустите Zerkalo; если повторится, обновите его и сообщите разработчикам строки лога со словами «a periodic task failed»",
        ),
        "en": (
            "The periodic task {task} fails, times in a row: {count} ({error}).",
            'Restart Zerkalo; if it fails again, update it and report the lines of the log that say "a periodic task failed"',
        ),
    },
    "codes_missing": {
        "ru": ("Пользователи без кода: {count}.", "Запустите: python scripts/generate_unique_codes.py"),
        "en": ("Users without a code: {count}.", "Run: python scripts/generate_unique_codes.py"),
    },
    "linked_none": {
        "ru": (
            "Ни одна запись пока не связана с пользователем: всего {count}.",
            (
                "Добавьте клиентов: из своего приложения zerkalo import (docs/moving-in.md), из таблицы zerkalo import-users clients.csv;"
                " или дайте им зарегистрироваться на /me"
            ),
        ),
        "en": (
            "No booking is a user's yet, of {count}.",
            (
                "Bring your clients: from an app of yours zerkalo import (docs/moving-in.md), from a table zerkalo import-users clients.csv;"
                " or let them register on /me"
            ),
        ),
    },
    "ambiguous": {
        "ru": ("Записи, которые подходят нескольким людям: {count}.", "Выберите владельца на /admin"),
        "en": ("Bookings that fit several people: {count}.", "Choose whose they are on /admin"),
    },
    "email_unset": {
        "ru": ("Коды по e-mail не отправляются.", "Задайте в .env: SMTP_URL"),
        "en": ("Codes can't be sent by e-mail.", "Set in .env: SMTP_URL"),
    },
    "sms_unset": {
        "ru": ("Коды по SMS не отправляются.", "Задайте в .env: SMS_URL"),
        "en": ("Codes can't be sent by SMS.", "Set in .env: SMS_URL"),
    },
}
